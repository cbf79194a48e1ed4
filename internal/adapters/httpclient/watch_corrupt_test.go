package httpclient_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// scriptedStore is a store whose watches yield the steps after their revision.
type scriptedStore struct {
	*memstore.Store
	steps []step
}

type step struct {
	event ports.RuntimeEvent
	err   error
}

func (s scriptedStore) Watch(ctx context.Context, options ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return func(yield func(ports.RuntimeEvent, error) bool) {
		for _, step := range s.steps {
			if step.event.Revision > options.FromRevision && !yield(step.event, step.err) {
				return
			}
		}
		<-ctx.Done()
		yield(ports.RuntimeEvent{}, ctx.Err())
	}
}

// Corrupt values, and revisions of many events, are delivered once and in order, however
// often the connection breaks between them.
func TestWatchReportsCorruptValuesOnceAndContinues(t *testing.T) {
	t.Parallel()
	change := func(revision int64, game string, last bool) step {
		record := running(game)
		return step{event: ports.RuntimeEvent{Type: ports.EventUpserted, Revision: revision, GameID: game, After: &record, Last: last}}
	}
	corrupt := func(revision int64, game, key string) step {
		return step{ports.RuntimeEvent{Revision: revision, GameID: game}, &runtime.CorruptError{Key: key, GameID: game, Reason: "is not JSON"}}
	}
	script := []step{
		corrupt(2, "a", "/runtimes/a"),
		change(3, "b", false), change(3, "c", false), corrupt(3, "d", "/runtimes/d"), change(3, "e", true),
		corrupt(4, "", "/runtimes/x/y"), corrupt(4, "", "/runtimes/x/z"), corrupt(4, "g", "/runtimes/g"), change(4, "h", true),
		corrupt(5, "a", "/runtimes/a"),
		change(6, "a", true),
	}
	snapshot := []step{
		corrupt(6, "a", "/runtimes/a"),
		{event: ports.RuntimeEvent{Type: ports.EventSnapshot, Revision: 6, GameID: "b", After: change(6, "b", false).event.After}},
		corrupt(6, "c", "/runtimes/c"),
		{event: ports.RuntimeEvent{Type: ports.EventSynced, Revision: 6, Last: true}},
	}
	limits := []int{1000, 1000, 1000, 1500, 2000, 1300, 1700, 900, 2500, 1000, 1200, 1900}
	for name, row := range map[string]struct {
		script []step
		from   int64
		allow  []int
	}{
		"changes":                          {script: script, from: 1},
		"changes over a faulty network":    {script, 1, limits},
		"a snapshot":                       {script: snapshot},
		"a snapshot over a faulty network": {snapshot, 0, limits[:3]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			network := faultyNetwork{byteLimits: row.allow}
			var server swappableServer
			r := overHTTP(t, network.config(), server.middleware)
			server.swap(t, scriptedStore{r.store, row.script})
			var got []step
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for event, err := range r.Watch(ctx, ports.WatchOptions{FromRevision: row.from}) {
				require.NoError(t, ctx.Err(), "the last step did not arrive; got %+v", got)
				got = append(got, step{event, err})
				if event.Revision == 6 && event.Last {
					break
				}
			}
			require.Equal(t, row.script, got)
		})
	}
}
