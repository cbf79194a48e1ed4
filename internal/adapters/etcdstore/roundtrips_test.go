package etcdstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// countedFixture is a store whose requests to etcd are counted.
type countedFixture struct {
	fixture
	kv *faultkv.KV
}

func newCountedFixture(t *testing.T) countedFixture {
	t.Helper()
	client := etcdtest.InProcess(t)
	kv := faultkv.Wrap(client)
	// Probes and fallbacks would be counted too.
	r := newFixture(t, client, etcdstore.Options{ProbeInterval: testTimeout, FreshTimeout: testTimeout})
	require.NoError(t, r.Ready(t.Context()))
	return countedFixture{r, kv}
}

// requireRequests requires that a call makes the number of requests to etcd.
func (r countedFixture) requireRequests(want int, name string, call func(ctx context.Context) error) {
	r.t.Helper()
	before := r.kv.Counts().Total()
	require.NoError(r.t, call(r.t.Context()), name)
	require.Equal(r.t, want, r.kv.Counts().Total()-before, "requests of: %s", name)
}

// TestRequestsOfEachMethod states how many round trips to etcd each method takes, of a store
// with a cache.
func TestRequestsOfEachMethod(t *testing.T) {
	t.Parallel()
	r := newCountedFixture(t)
	for n := range 30 {
		r.waitForCache(r.put(runningRecord(fmt.Sprintf("game-%02d", n))).Revision)
	}
	r.putRaw("/other", "a revision that the watch does not report")
	expectNotFound := func(err error) error {
		if err == nil {
			return fmt.Errorf("found")
		}
		require.ErrorIs(t, err, runtime.ErrNotFound)
		return nil
	}
	local := ports.PageQuery{Local: true, Limit: 7}
	linearizable := ports.PageQuery{Limit: 7}
	for _, method := range []struct {
		name     string
		requests int
		call     func(ctx context.Context) error
	}{
		{"ID", 0, func(context.Context) error { _ = r.ID(); return nil }},
		{"Revision", 1, func(ctx context.Context) error { _, err := r.Revision(ctx); return err }},
		{"Info, without requests to members", 1, func(ctx context.Context) error { _, err := r.Info(ctx); return err }},
		{"Get of a known game", 1, func(ctx context.Context) error { _, err := r.Get(ctx, "game-01"); return err }},
		{"Get of an unknown game", 1, func(ctx context.Context) error { _, err := r.Get(ctx, "unknown"); return expectNotFound(err) }},
		{"GetLocal", 0, func(ctx context.Context) error { _, _, err := r.GetLocal(ctx, "game-01"); return err }},
		{"GetLocal of an unknown game", 0, func(ctx context.Context) error { _, _, err := r.GetLocal(ctx, "unknown"); return expectNotFound(err) }},
		{"List", 1, func(ctx context.Context) error { _, err := r.List(ctx); return err }},
		{"ListByStatus", 1, func(ctx context.Context) error { _, err := r.ListByStatus(ctx, runtime.StatusRunning); return err }},
		{"all pages of a linearizable list", 1, func(ctx context.Context) error { return r.readPages(ctx, linearizable) }},
		{"all pages of a local list", 0, func(ctx context.Context) error { return r.readPages(ctx, local) }},
		{"History", 1, func(ctx context.Context) error { _, err := r.History(ctx, "game-01"); return err }},
		{"GetIntent", 1, func(ctx context.Context) error { _, err := r.GetIntent(ctx, "game-01"); return err }},
		{"PutIntent of a game without one", 1, func(ctx context.Context) error {
			_, err := r.PutIntent(ctx, operation.Intent{GameID: "game-01", Spec: operation.Spec{Image: "a"}}, ports.IntentVersion{})
			return err
		}},
		{"UpdateStatus", 1, func(ctx context.Context) error { return r.UpdateStatus(ctx, stopInput("game-01")) }},
		{"Put of a known game", 1, func(ctx context.Context) error { return r.Upsert(ctx, runningRecord("game-02")) }},
		{"Put of a new game", 1, func(ctx context.Context) error { return r.Upsert(ctx, runningRecord("new")) }},
		{"Put of a new game with an operation id", 1, func(ctx context.Context) error {
			_, err := r.Put(ctx, ports.PutInput{Record: runningRecord("new-2"), Origin: ports.Origin{OperationID: "op"}})
			return err
		}},
		{"Transition with an operation id, of a game whose ledger the watch has shown", 1, func(ctx context.Context) error {
			_, err := r.Transition(ctx, ports.TransitionInput{UpdateStatusInput: stopInput("game-03"), Origin: ports.Origin{OperationID: "op"}})
			return err
		}},
	} {
		r.requireRequests(method.requests, method.name, method.call)
	}
	r.requireClean()
}

func (r countedFixture) readPages(ctx context.Context, query ports.PageQuery) error {
	count := 0
	for page, err := range ports.AllPages(ctx, r, query) {
		if err != nil {
			return err
		}
		count += len(page.Records)
	}
	require.Equal(r.t, 30, count, "records of all pages")
	return nil
}

// TestNextPageIsOfTheRevisionOfTheFirst changes, inserts and deletes records between two pages:
// the next page comes from memory, at the revision of the list.
func TestNextPageIsOfTheRevisionOfTheFirst(t *testing.T) {
	t.Parallel()
	for name, otherLists := range map[string]int{"retained": 0, "restored from the event log": 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newCountedFixture(t)
			for n := range 9 {
				r.put(runningRecord(fmt.Sprintf("game-%d", n)))
			}
			query := ports.PageQuery{Limit: 4, RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}}}
			want, err := r.ListPage(t.Context(), ports.PageQuery{Limit: 10, RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}}})
			require.NoError(t, err)
			first, err := r.ListPage(t.Context(), query)
			require.NoError(t, err)

			r.transition("game-6", runtime.StatusRunning, runtime.StatusStopped)
			r.transition("game-6", runtime.StatusStopped, runtime.StatusRunning)
			r.put(runningRecord("game-55"))
			deleteGame(t, r.fixture, "game-7")
			for n := range otherLists {
				r.waitForCache(r.put(runningRecord(fmt.Sprintf("later-%02d", n))).Revision)
				_, err := r.ListPage(t.Context(), query)
				require.NoError(t, err)
			}
			_, err = r.List(t.Context()) // waits for the cache
			require.NoError(t, err)
			got := first.Records
			query.Revision, query.After = first.Revision, first.Next
			r.requireRequests(0, "the next pages", func(ctx context.Context) error {
				for page, err := range ports.AllPages(ctx, r, query) {
					if err != nil {
						return err
					}
					require.Equal(t, first.Revision, page.Revision)
					got = append(got, page.Records...)
				}
				return nil
			})
			require.Equal(t, want.Records, got)
		})
	}
}

// TestLedgerIsReadOnce opens a store on games with a history: the first write of each with an
// operation id reads the ledger, and the later ones are one request.
func TestLedgerIsReadOnce(t *testing.T) {
	t.Parallel()
	first := sharedFixture(t)
	first.put(runningRecord("game"))
	first.transition("game", runtime.StatusRunning, runtime.StatusStopped)
	client := etcdtest.InProcess(t)
	kv := faultkv.Wrap(client)
	r := countedFixture{newFixture(t, client, etcdstore.Options{Prefix: first.prefix, ProbeInterval: testTimeout, FreshTimeout: testTimeout}), kv}
	require.NoError(t, r.Ready(t.Context()))
	write := func(operationID string, from, to runtime.Status) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := r.Transition(ctx, ports.TransitionInput{
				UpdateStatusInput: ports.UpdateStatusInput{GameID: "game", ExpectedFrom: from, To: to, Now: time.Now()},
				Origin:            ports.Origin{OperationID: operationID},
			})
			return err
		}
	}
	r.requireRequests(2, "the first write", write("op-1", runtime.StatusStopped, runtime.StatusRunning))
	r.requireRequests(1, "the second write", write("op-2", runtime.StatusRunning, runtime.StatusStopped))
	r.requireRequests(1, "the third write", write("op-3", runtime.StatusStopped, runtime.StatusRunning))
	// A repetition reads the ledger and writes nothing.
	r.requireRequests(1, "a repetition", write("op-2", runtime.StatusRunning, runtime.StatusStopped))
	record, err := r.Get(t.Context(), "game")
	require.NoError(t, err)
	require.Equal(t, runtime.StatusRunning, record.Status)
}

// TestRepeatOfAnOperationAfterOtherWrites repeats a write whose operation id is known from the
// watch, from the ledger only, or from neither.
func TestRepeatOfAnOperationAfterOtherWrites(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	r.put(runningRecord("game"))
	stop := ports.TransitionInput{UpdateStatusInput: stopInput("game"), Origin: ports.Origin{OperationID: opID}}
	_, err := r.Transition(t.Context(), stop)
	require.NoError(t, err)
	late := r.another() // its cache has the last write only
	r.transition("game", runtime.StatusStopped, runtime.StatusRunning)
	current, err := r.GetVersioned(t.Context(), "game")
	require.NoError(t, err)
	for name, store := range map[string]fixture{"the writer": r, "a store that has not seen it": late, "a later store": r.another(), "without a cache": r.uncached()} {
		store.waitForCache(current.Revision)
		repeated, err := store.Transition(t.Context(), stop)
		require.NoError(t, err, name)
		require.Equal(t, current, repeated, "%s: the repeated write was applied a second time", name)
	}
	// One more write pushes the operation out of the ledger's ring only after 32 others.
	for range 2 * 40 {
		from, to := runtime.StatusRunning, runtime.StatusStopped
		if found, err := r.Get(t.Context(), "game"); err == nil && found.Status == runtime.StatusStopped {
			from, to = to, from
		}
		_, err := r.Transition(t.Context(), ports.TransitionInput{
			UpdateStatusInput: ports.UpdateStatusInput{GameID: "game", ExpectedFrom: from, To: to, Now: time.Now()},
			Origin:            ports.Origin{OperationID: "op-" + operation.NewID()},
		})
		require.NoError(t, err)
	}
	r.requireClean()
}
