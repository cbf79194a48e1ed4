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

// scripted is a store whose watches tell the steps above their revision.
type scripted struct {
	*memstore.Store
	steps []step
}

type step struct {
	event ports.RuntimeEvent
	err   error
}

func (s scripted) Watch(ctx context.Context, options ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
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

// Damage and revisions of many events come once and in order, however often
// the line breaks between them.
func TestWatchReportsDamageOnceAndGoesOn(t *testing.T) {
	t.Parallel()
	change := func(revision int64, game string, last bool) step {
		record := running(game)
		return step{event: ports.RuntimeEvent{Type: ports.EventUpserted, Revision: revision, GameID: game, After: &record, Last: last}}
	}
	damage := func(revision int64, game, key string) step {
		return step{ports.RuntimeEvent{Revision: revision, GameID: game}, &runtime.CorruptError{Key: key, GameID: game, Reason: "is not JSON"}}
	}
	script := []step{
		damage(2, "a", "/runtimes/a"),
		change(3, "b", false), change(3, "c", false), damage(3, "d", "/runtimes/d"), change(3, "e", true),
		damage(4, "", "/runtimes/x/y"), damage(4, "", "/runtimes/x/z"), damage(4, "g", "/runtimes/g"), change(4, "h", true),
		damage(5, "a", "/runtimes/a"),
		change(6, "a", true),
	}
	snapshot := []step{
		damage(6, "a", "/runtimes/a"),
		{event: ports.RuntimeEvent{Type: ports.EventSnapshot, Revision: 6, GameID: "b", After: change(6, "b", false).event.After}},
		damage(6, "c", "/runtimes/c"),
		{event: ports.RuntimeEvent{Type: ports.EventSynced, Revision: 6, Last: true}},
	}
	breaks := []int{1000, 1000, 1000, 1500, 2000, 1300, 1700, 900, 2500, 1000, 1200, 1900}
	for name, row := range map[string]struct {
		script []step
		from   int64
		allow  []int
	}{
		"changes":                    {script: script, from: 1},
		"changes over a bad line":    {script, 1, breaks},
		"a snapshot":                 {script: snapshot},
		"a snapshot over a bad line": {snapshot, 0, breaks[:3]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := network{allow: row.allow}
			var place replaceable
			r := overHTTP(t, line.config(), place.middleware)
			place.replace(t, scripted{r.store, row.script})
			var got []step
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for event, err := range r.Watch(ctx, ports.WatchOptions{FromRevision: row.from}) {
				require.NoError(t, ctx.Err(), "the last step did not come; got %+v", got)
				got = append(got, step{event, err})
				if event.Revision == 6 && event.Last {
					break
				}
			}
			require.Equal(t, row.script, got)
		})
	}
}
