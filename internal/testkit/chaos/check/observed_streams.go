package check

import (
	"cmp"
	"fmt"
	"slices"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// observedChange is a change that at least one watcher received.
type observedChange struct {
	gameRevision

	before, after *truth.Record // nil for none
	source        *recording.Event
}

// isSelectedBy reports whether the filters of a stream select the change.
func (o *observedChange) isSelectedBy(open *recording.Event) bool {
	matches := func(r *truth.Record) bool {
		return r != nil && (open.Status == "" || open.Status == r.Status) && (open.Region == "" || open.Region == r.Region)
	}
	return (open.Of == "" || open.Of == o.game) && (matches(o.before) || matches(o.after))
}

// checkObservedStreams compares the streams of all watchers with each other: what one of them received is
// delivered to all that select it and have reached its revision, in order and once.
func (c *checker) checkObservedStreams() {
	changes := c.observedChanges()
	streams := map[string]*observedStream{}
	for i := range c.events {
		e := &c.events[i]
		c.examine(RuleWatches, 1)
		if e.Type == recording.StreamOpen {
			streams[e.Watcher] = &observedStream{c: c, changes: changes, open: e, isSynced: e.From != 0, delivered: map[gameRevision]bool{}}
			streams[e.Watcher].moveTo(e.From)
			continue
		}
		if s := streams[e.Watcher]; s != nil && !s.isBroken {
			if fault, lines := s.add(e); fault != "" {
				s.isBroken = true
				lines = append([]string{describeEvent(s.open)}, append(lines, describeEvent(e))...)
				c.add(RuleWatches, fmt.Sprintf("watcher %s, stream %d: %s", e.Watcher, e.Stream, fault), lines...)
			}
		}
	}
}

// observedChanges returns the changes that any watcher received, in the order of revisions.
func (c *checker) observedChanges() (changes []observedChange) {
	isKept := map[gameRevision]bool{}
	for _, e := range c.liveChanges() {
		id := gameRevision{e.Game, e.Revision}
		if isKept[id] {
			continue
		}
		isKept[id] = true
		one := observedChange{gameRevision: id, source: e}
		if len(e.Before) > 0 {
			one.before, _ = truth.ParseRecord(e.Before)
		}
		if len(e.After) > 0 {
			one.after, _ = truth.ParseRecord(e.After)
		}
		changes = append(changes, one)
	}
	slices.SortFunc(changes, func(a, b observedChange) int { return cmp.Compare(a.revision, b.revision) })
	return changes
}

// observedStream is one stream. After its first violation it is not checked any more.
type observedStream struct {
	c        *checker
	changes  []observedChange
	open     *recording.Event
	isSynced bool
	isBroken bool

	position  int64 // everything up to it has been delivered
	next      int   // the place of the first change after it
	newest    int64 // of the events since the position
	delivered map[gameRevision]bool
}

func (s *observedStream) moveTo(revision int64) {
	s.position, s.newest = revision, 0
	s.next, _ = slices.BinarySearchFunc(s.changes, revision+1, func(c observedChange, r int64) int { return cmp.Compare(c.revision, r) })
	clear(s.delivered)
}

// add checks an event. It returns what is wrong, empty for nothing.
func (s *observedStream) add(e *recording.Event) (fault string, lines []string) {
	switch e.Type {
	case recording.StreamEnd, "resync":
		if e.Type == "resync" {
			s.isSynced = false
			clear(s.delivered)
		}
		if e.Reason == "" {
			return fmt.Sprintf("the event %s has no reason", e.Type), nil
		}
	case "synced":
		s.isSynced = true
		s.moveTo(e.Revision)
	case "bookmark":
		if e.Revision < s.position || e.Revision < s.newest {
			return fmt.Sprintf("the bookmark of revision %d follows revision %d", e.Revision, max(s.position, s.newest)), nil
		}
		return s.complete(e.Revision)
	case "upserted", "transitioned", "deleted":
		if s.isSynced {
			return s.addChange(e)
		}
	}
	return "", nil
}

func (s *observedStream) addChange(e *recording.Event) (fault string, lines []string) {
	id := gameRevision{e.Game, e.Revision}
	switch {
	case e.Revision <= s.position:
		return fmt.Sprintf("revision %d was delivered although everything up to revision %d had been delivered", e.Revision, s.position), nil
	case e.Revision < s.newest:
		return fmt.Sprintf("revision %d was delivered after revision %d", e.Revision, s.newest), nil
	case s.delivered[id]:
		return fmt.Sprintf("revision %d of game %s was delivered twice", e.Revision, e.Game), nil
	}
	s.newest, s.delivered[id] = e.Revision, true
	if !e.Last {
		return "", nil
	}
	return s.complete(e.Revision)
}

// complete moves the position to the revision. All changes up to it must have been delivered.
func (s *observedStream) complete(revision int64) (fault string, lines []string) {
	for i := s.next; i < len(s.changes) && s.changes[i].revision <= revision; i++ {
		if change := &s.changes[i]; !s.delivered[change.gameRevision] && change.isSelectedBy(s.open) {
			return fmt.Sprintf("revision %d of game %s was not delivered, but another watcher received it", change.revision, change.game), []string{describeEvent(change.source)}
		}
	}
	s.moveTo(revision)
	return "", nil
}
