package check

import (
	"fmt"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// recoveryTime is how long everything has to recover once the run is stable.
const recoveryTime = int64(30 * time.Second)

// watcher is what a watcher has received by all its streams.
type watcher struct {
	stream   *stream // the last one
	opened   int64   // when the first one was opened
	received int64   // when it received its last event
	position int64   // of all streams
}

// checkWatches checks that each stream delivers the true history of the records that its filters
// select, in order, completely and once.
func (c *checker) checkWatches() {
	watchers, end := map[string]*watcher{}, int64(0)
	for i := range c.events {
		e := &c.events[i]
		c.examine(RuleWatches, 1)
		end = max(end, e.At)
		w := watchers[e.Watcher]
		if w == nil {
			w = &watcher{opened: e.At}
			watchers[e.Watcher] = w
		}
		switch s := w.stream; {
		case e.Type == recording.StreamOpen:
			if s != nil && !s.isEnded {
				s.report(e, "the stream ended without a reason: the next one was opened")
			}
			w.stream = c.openStream(e)
		case s == nil:
			c.add(RuleWatches, fmt.Sprintf("watcher %s has an event of no stream", e.Watcher), describeEvent(e))
		case s.isEnded:
			s.report(e, "the stream has an event after its end")
		case !s.isBroken:
			s.add(e)
			if e.Type != recording.StreamEnd {
				w.received, w.position = e.At, max(w.position, s.position)
			}
		}
	}
	for _, w := range watchers {
		if w.stream == nil {
			continue
		}
		if !w.stream.isEnded {
			w.stream.checkProgress(end)
		}
		w.checkProgress(end)
	}
}

// checkProgress checks that a watcher received something in the last 30 seconds of the run, once that
// was stable, if there was anything to deliver. Its streams may all have failed.
func (w *watcher) checkProgress(end int64) {
	s, since := w.stream, end-recoveryTime
	if s.isBroken || since < s.c.run.Stable || since < w.opened || since < w.received {
		return
	}
	s.moveTo(w.position)
	if next := s.nextSelected(); next != nil && next.At <= since {
		s.report(s.previous, fmt.Sprintf("the watcher received nothing since %v, and revision %d of game %s was not delivered", time.Duration(w.received), next.Revision, next.Game))
	}
}

// stream is one stream of a watcher. After its first violation it is not checked any more.
type stream struct {
	c        *checker
	open     *recording.Event
	previous *recording.Event
	isEnded  bool
	isBroken bool

	// position is the revision up to which every selected change has been delivered, and next the
	// place of the first change after it.
	position int64
	next     int
	// partial is a revision that was delivered in part, 0 for none, and missing the rest of it.
	partial int64
	missing map[string]*truth.Version

	snapshot *snapshot // nil once synced
	// delivered are the records that the consumer has: those of its last events that match.
	delivered map[string]*truth.Version
}

func (c *checker) openStream(e *recording.Event) *stream {
	s := &stream{c: c, open: e, previous: e, delivered: map[string]*truth.Version{}}
	if e.From == 0 {
		s.snapshot = newSnapshot(nil)
		return s
	}
	s.moveTo(e.From)
	return s
}

// moveTo sets the position.
func (s *stream) moveTo(revision int64) {
	s.position, s.partial, s.missing = revision, 0, nil
	records := s.c.history.Records
	if s.next < len(records) && records[s.next].Revision <= revision && (s.next+1 == len(records) || records[s.next+1].Revision > revision) {
		s.next++ // the usual case
		return
	}
	s.next = s.c.history.FirstRecordAfter(revision)
}

// matches reports whether the filters select the version.
func (s *stream) matches(v *truth.Version) bool {
	if !v.Exists() || v.Record == nil {
		return false
	}
	o, r := s.open, v.Record
	return (o.Status == "" || o.Status == r.Status) && (o.Region == "" || o.Region == r.Region) && (o.Of == "" || o.Of == v.Game)
}

// selects reports whether a change is to be delivered: the record matched before it or matches after it.
func (s *stream) selects(v *truth.Version) bool { return s.matches(v) || s.matches(v.Previous) }

// nextSelected returns the next change to be delivered, nil if there is none.
func (s *stream) nextSelected() *truth.Version {
	for records := s.c.history.Records; s.next < len(records); s.next++ {
		if v := records[s.next]; s.selects(v) {
			return v
		}
	}
	return nil
}

// add checks an event.
func (s *stream) add(e *recording.Event) {
	var fault string
	switch e.Type {
	case recording.StreamEnd:
		s.isEnded = true
		if e.Reason == "" {
			fault = "the stream ended without a reason"
		}
		s.checkProgress(e.At)
	case "resync":
		fault = s.addResync(e)
	case "snapshot", "synced":
		if s.snapshot == nil {
			fault = fmt.Sprintf("the stream has an event of type %s outside of a snapshot", e.Type)
		} else {
			fault = s.addToSnapshot(e)
		}
	case "bookmark":
		fault = s.addBookmark(e)
	case "upserted", "transitioned", "deleted":
		if s.snapshot != nil {
			fault = s.addToSnapshot(e)
		} else {
			fault = s.addChange(e)
		}
	default:
		fault = fmt.Sprintf("the stream has an event of the unknown type %q", e.Type)
	}
	if fault != "" {
		s.report(e, fault)
	}
	s.previous = e
}

// addChange checks the event of a change.
func (s *stream) addChange(e *recording.Event) string {
	switch {
	case e.Revision <= s.c.history.Start || e.Revision > s.c.history.Last:
		return "" // outside of the recording of changes
	case e.Revision <= s.position:
		return fmt.Sprintf("revision %d was delivered although everything up to revision %d had been delivered", e.Revision, s.position)
	case s.partial != 0 && e.Revision != s.partial:
		return fmt.Sprintf("revision %d follows a part of revision %d, whose last event was not delivered", e.Revision, s.partial)
	}
	if s.partial == 0 {
		if next := s.nextSelected(); next != nil && next.Revision < e.Revision {
			return fmt.Sprintf("revision %d of game %s was not delivered before revision %d", next.Revision, next.Game, e.Revision)
		}
		s.begin(e.Revision)
	}
	v := s.missing[e.Game]
	if v == nil {
		return fmt.Sprintf("revision %d of game %s was delivered, which the stream does not select or has delivered", e.Revision, e.Game)
	}
	if fault := eventFault(e, v); fault != "" {
		return fault
	}
	delete(s.missing, e.Game)
	s.keep(v)
	switch isComplete := len(s.missing) == 0; {
	case e.Last && !isComplete:
		return fmt.Sprintf("the event is marked as the last one of revision %d, and %d are missing: a consumer that resumes here misses them", e.Revision, len(s.missing))
	case !e.Last && isComplete:
		return fmt.Sprintf("the last event of revision %d is not marked as such", e.Revision)
	case isComplete:
		s.moveTo(e.Revision)
	}
	return ""
}

// begin starts a revision: all its selected changes are missing.
func (s *stream) begin(revision int64) {
	s.partial = revision
	s.missing = map[string]*truth.Version{}
	records := s.c.history.Records
	for i := s.next; i < len(records) && records[i].Revision <= revision; i++ {
		if records[i].Revision == revision && s.selects(records[i]) {
			s.missing[records[i].Game] = records[i]
		}
	}
}

// keep keeps what the consumer has of a game.
func (s *stream) keep(v *truth.Version) {
	if !s.open.Resync {
		return // only a resync needs it
	}
	if s.matches(v) {
		s.delivered[v.Game] = v
	} else {
		delete(s.delivered, v.Game)
	}
}

// addBookmark checks a bookmark: every change up to it has been delivered.
func (s *stream) addBookmark(e *recording.Event) string {
	switch next := s.nextSelected(); {
	case s.snapshot != nil:
		return "a bookmark was delivered in a snapshot"
	case s.partial != 0:
		return fmt.Sprintf("a bookmark splits revision %d", s.partial)
	case e.Revision < s.position:
		return fmt.Sprintf("the bookmark of revision %d follows revision %d", e.Revision, s.position)
	case e.Revision > s.c.timeline.PossibleAt(e.At):
		return fmt.Sprintf("the bookmark is of revision %d, which was written only after it", e.Revision)
	case next != nil && next.Revision <= e.Revision:
		return fmt.Sprintf("the bookmark of revision %d was delivered before revision %d of game %s", e.Revision, next.Revision, next.Game)
	}
	s.moveTo(e.Revision)
	return ""
}

// checkProgress checks at the end of a stream that was open after the run was stable: it had delivered
// every change that was old enough.
func (s *stream) checkProgress(end int64) {
	stable := s.c.run.Stable
	if s.isBroken || end < stable+recoveryTime || end < s.open.At+recoveryTime {
		return
	}
	if s.snapshot != nil {
		s.report(s.previous, "the snapshot was not complete 30 s after the stream was opened and the run was stable")
		return
	}
	if next := s.nextSelected(); next != nil && next.Revision > s.partial && next.At <= end-recoveryTime {
		s.report(s.previous, fmt.Sprintf("the stream is at revision %d, and revision %d of game %s was older than 30 s at its end", s.position, next.Revision, next.Game))
	}
}
