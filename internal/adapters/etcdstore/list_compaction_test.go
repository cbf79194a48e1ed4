package etcdstore_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// TestCompactionWhileReading compacts between two pages of a list at the current
// revision: the caller named no revision and gets no error.
func TestCompactionWhileReading(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than a second")
	}
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.InProcess()
	faults := faultkv.Wrap(client)
	r := newFixture(t, client, etcdstore.Options{})
	plain := newFixture(t, server.InProcess(), etcdstore.Options{Prefix: r.prefix})
	const games = 1100
	for n := range games {
		plain.put(runningRecord(fmt.Sprintf("game-%04d", n)))
	}

	// compactAfter compacts at a newer revision before the n-th read from now on.
	compactAfter := func(n int64) {
		var reads atomic.Int64
		faults.OnRead(func(ctx context.Context) error {
			if reads.Add(1) != n {
				return nil
			}
			plain.transition("game-0000", runtime.StatusRunning, runtime.StatusStopped)
			plain.transition("game-0000", runtime.StatusStopped, runtime.StatusRunning)
			_, err := plain.etcd.Compact(ctx, plain.head())
			return err
		})
	}
	for name, read := range map[string]func() (int, error){
		"List": func() (int, error) {
			records, err := r.List(t.Context())
			return len(records), err
		},
		"ListByStatus": func() (int, error) {
			records, err := r.ListByStatus(t.Context(), runtime.StatusRunning)
			return len(records), err
		},
		"ListPage": func() (int, error) {
			page, err := r.ListPage(t.Context(), ports.PageQuery{Limit: 2 * games})
			return len(page.Records), err
		},
		"Check": func() (int, error) {
			report, err := r.Check(t.Context(), false)
			require.Empty(t, report.Findings)
			return report.Records, err
		},
	} {
		for _, at := range []int64{2, 3} {
			compactAfter(at)
			found, err := read()
			require.NoError(t, err, "%s, compacted before its read %d", name, at)
			require.Equal(t, games, found, "%s, compacted before its read %d", name, at)
		}
	}
}
