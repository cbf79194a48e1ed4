package etcdstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// compareWithHistory replays the history beside what a watcher was told: it has
// to be complete, in order and without doubles, with true records and true
// bookmarks.
func compareWithHistory(t *testing.T, who string, w *randomWatcher, history []trueChange) *comparison {
	t.Helper()
	c := &comparison{t: t, who: who, options: w.options, history: history, known: map[string]bool{}, opening: w.options.FromRevision == 0}
	c.seek(w.options.FromRevision)
	c.last = w.options.FromRevision
	for _, event := range w.events {
		switch event.Type {
		case ports.EventResync:
			c.resyncs++
			c.opening, c.snapshot = true, nil
		case ports.EventBookmark:
			require.Less(t, c.last, event.Revision, "%s: a bookmark that moves nothing", who)
			c.reached(event.Revision)
		default:
			if c.opening {
				c.open(event)
			} else {
				c.change(event)
			}
		}
		if event.Last {
			c.last = event.Revision
		}
	}
	c.reached(history[len(history)-1].revision)
	return c
}

// comparison is where in the history a watcher stands.
type comparison struct {
	t        *testing.T
	who      string
	options  ports.WatchOptions
	history  []trueChange
	next     int   // index of the first change that was not delivered
	last     int64 // the last revision that could be resumed from
	opening  bool
	snapshot []ports.RuntimeEvent
	known    map[string]bool // games that the watcher was told of and that match

	live, resyncs int // how many changes were told live, and how often all began anew
}

func (c *comparison) matches(rec *runtime.RuntimeRecord) bool {
	return rec != nil && c.options.Matches(*rec)
}

// seek moves to the first change behind the revision.
func (c *comparison) seek(revision int64) {
	for c.next = 0; c.next < len(c.history) && c.history[c.next].revision <= revision; c.next++ {
	}
}

// skip passes over the changes that do not concern the watcher.
func (c *comparison) skip() {
	for c.next < len(c.history) && !c.matches(c.history[c.next].before) && !c.matches(c.history[c.next].after) {
		c.next++
	}
}

// reached wants every change up to the revision to have been delivered.
func (c *comparison) reached(revision int64) {
	c.t.Helper()
	c.skip()
	if c.next < len(c.history) {
		require.Greater(c.t, c.history[c.next].revision, revision, "%s: was not told of %+v", c.who, c.history[c.next])
	}
}

func (c *comparison) change(event ports.RuntimeEvent) {
	c.t.Helper()
	c.skip()
	require.Less(c.t, c.next, len(c.history), "%s: told of %+v, which never was", c.who, event)
	want := c.history[c.next]
	c.next++
	c.skip()
	last := c.next == len(c.history) || c.history[c.next].revision > want.revision
	require.Equal(c.t, ports.RuntimeEvent{
		Type: want.kind, Revision: want.revision, GameID: want.gameID, Before: want.before, After: want.after, Last: last,
	}, event, c.who)
	c.known[event.GameID] = c.matches(event.After)
	c.live++
}

// open collects a snapshot, and compares it with the history at synced.
func (c *comparison) open(event ports.RuntimeEvent) {
	c.t.Helper()
	if event.Type != ports.EventSynced {
		require.False(c.t, event.Last, "%s: %+v", c.who, event)
		c.snapshot = append(c.snapshot, event)
		return
	}
	now := map[string]*runtime.RuntimeRecord{}
	c.seek(event.Revision)
	for _, change := range c.history[:c.next] {
		now[change.gameID] = change.after
	}
	told := map[string]bool{}
	for _, s := range c.snapshot {
		require.Equal(c.t, event.Revision, s.Revision, "%s: %+v", c.who, s)
		require.False(c.t, told[s.GameID], "%s: told twice of %+v", c.who, s)
		told[s.GameID] = true
		if s.Type == ports.EventDeleted {
			require.True(c.t, c.known[s.GameID] && now[s.GameID] == nil, "%s: %+v", c.who, s)
			continue
		}
		require.Equal(c.t, ports.EventSnapshot, s.Type, c.who)
		require.Equal(c.t, now[s.GameID], s.After, "%s: in the snapshot at %d", c.who, event.Revision)
	}
	for gameID, rec := range now {
		gone := rec == nil && c.known[gameID]
		require.Equal(c.t, gone || c.matches(rec), told[gameID], "%s: %s in the snapshot at %d", c.who, gameID, event.Revision)
		c.known[gameID] = c.matches(rec)
	}
	c.opening, c.snapshot = false, nil
}
