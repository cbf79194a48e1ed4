package etcdstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// compareWithHistory replays the history along the events of a watcher: they must be
// complete, in order and without duplicates, with the recorded records and correct
// bookmarks.
func compareWithHistory(t *testing.T, name string, w *randomWatcher, history []recordedChange) *comparison {
	t.Helper()
	c := &comparison{t: t, name: name, options: w.options, history: history, delivered: map[string]bool{}, opening: w.options.FromRevision == 0}
	c.seek(w.options.FromRevision)
	c.last = w.options.FromRevision
	for _, event := range w.events {
		switch event.Type {
		case ports.EventResync:
			c.resyncs++
			c.opening, c.snapshot = true, nil
		case ports.EventBookmark:
			require.Less(t, c.last, event.Revision, "%s: a bookmark without progress", name)
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

// comparison is the position of a watcher in the history.
type comparison struct {
	t         *testing.T
	name      string
	options   ports.WatchOptions
	history   []recordedChange
	next      int   // index of the first change that was not delivered
	last      int64 // the last revision that could be resumed from
	opening   bool
	snapshot  []ports.RuntimeEvent
	delivered map[string]bool // games that the watcher has received and that match

	live, resyncs int // how many changes were delivered live, and how often it restarted
}

func (c *comparison) matches(rec *runtime.RuntimeRecord) bool {
	return rec != nil && c.options.Matches(*rec)
}

// seek moves to the first change after the revision.
func (c *comparison) seek(revision int64) {
	for c.next = 0; c.next < len(c.history) && c.history[c.next].revision <= revision; c.next++ {
	}
}

// skip skips the changes that do not match the watcher's filter.
func (c *comparison) skip() {
	for c.next < len(c.history) && !c.matches(c.history[c.next].before) && !c.matches(c.history[c.next].after) {
		c.next++
	}
}

// reached requires that every change up to the revision was delivered.
func (c *comparison) reached(revision int64) {
	c.t.Helper()
	c.skip()
	if c.next < len(c.history) {
		require.Greater(c.t, c.history[c.next].revision, revision, "%s: did not receive %+v", c.name, c.history[c.next])
	}
}

func (c *comparison) change(event ports.RuntimeEvent) {
	c.t.Helper()
	c.skip()
	require.Less(c.t, c.next, len(c.history), "%s: received %+v, which did not happen", c.name, event)
	want := c.history[c.next]
	c.next++
	c.skip()
	last := c.next == len(c.history) || c.history[c.next].revision > want.revision
	require.Equal(c.t, ports.RuntimeEvent{
		Type: want.kind, Revision: want.revision, GameID: want.gameID, Before: want.before, After: want.after, Last: last,
	}, event, c.name)
	c.delivered[event.GameID] = c.matches(event.After)
	c.live++
}

// open collects a snapshot, and compares it with the history at synced.
func (c *comparison) open(event ports.RuntimeEvent) {
	c.t.Helper()
	if event.Type != ports.EventSynced {
		require.False(c.t, event.Last, "%s: %+v", c.name, event)
		c.snapshot = append(c.snapshot, event)
		return
	}
	now := map[string]*runtime.RuntimeRecord{}
	c.seek(event.Revision)
	for _, change := range c.history[:c.next] {
		now[change.gameID] = change.after
	}
	reported := map[string]bool{}
	for _, s := range c.snapshot {
		require.Equal(c.t, event.Revision, s.Revision, "%s: %+v", c.name, s)
		require.False(c.t, reported[s.GameID], "%s: received %+v twice", c.name, s)
		reported[s.GameID] = true
		if s.Type == ports.EventDeleted {
			require.True(c.t, c.delivered[s.GameID] && now[s.GameID] == nil, "%s: %+v", c.name, s)
			continue
		}
		require.Equal(c.t, ports.EventSnapshot, s.Type, c.name)
		require.Equal(c.t, now[s.GameID], s.After, "%s: in the snapshot at %d", c.name, event.Revision)
	}
	for gameID, rec := range now {
		deleted := rec == nil && c.delivered[gameID]
		require.Equal(c.t, deleted || c.matches(rec), reported[gameID], "%s: %s in the snapshot at %d", c.name, gameID, event.Revision)
		c.delivered[gameID] = c.matches(rec)
	}
	c.opening, c.snapshot = false, nil
}
