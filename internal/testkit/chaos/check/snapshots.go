package check

import (
	"fmt"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// snapshot is the begin of a stream: the records as of one revision.
type snapshot struct {
	revision int64 // 0 before the first event
	games    map[string]bool
	// former are the records that the consumer had before a resync; those that do not exist any more
	// are delivered as deleted.
	former map[string]*truth.Version
}

func newSnapshot(former map[string]*truth.Version) *snapshot {
	return &snapshot{games: map[string]bool{}, former: former}
}

// addResync checks that a stream may start over.
func (s *stream) addResync(e *recording.Event) string {
	switch {
	case !s.open.Resync:
		return "the stream starts over, which the watcher did not request"
	case e.Reason == "":
		return "the stream starts over without a reason"
	}
	former := s.delivered
	if s.snapshot != nil { // it starts over in the middle of a snapshot
		for game, v := range s.snapshot.former {
			if _, isNewer := former[game]; !isNewer {
				former[game] = v
			}
		}
	}
	s.snapshot, s.delivered = newSnapshot(former), map[string]*truth.Version{}
	s.partial, s.missing = 0, nil
	return ""
}

// addToSnapshot checks an event of a snapshot.
func (s *stream) addToSnapshot(e *recording.Event) string {
	n := s.snapshot
	switch {
	case e.Revision <= 0:
		return "an event of the snapshot has no revision"
	case n.revision != 0 && e.Revision != n.revision:
		return fmt.Sprintf("the snapshot is of the revisions %d and %d", n.revision, e.Revision)
	case e.Revision > s.c.timeline.PossibleAt(e.At):
		return fmt.Sprintf("the snapshot is of revision %d, which was written only after it", e.Revision)
	}
	n.revision = e.Revision
	switch e.Type {
	case "synced":
		return s.addSynced(e)
	case "snapshot":
		return s.addSnapshotRecord(e)
	case "deleted":
		return s.addFormer(e)
	default:
		return fmt.Sprintf("an event of type %s was delivered in a snapshot", e.Type)
	}
}

func (s *stream) addSnapshotRecord(e *recording.Event) string {
	v := s.c.history.Games[e.Game].At(e.Revision)
	switch {
	case s.snapshot.games[e.Game]:
		return fmt.Sprintf("the snapshot has game %s twice", e.Game)
	case !v.Exists():
		return fmt.Sprintf("the snapshot has game %s, which had no record at revision %d", e.Game, e.Revision)
	case !s.matches(v):
		return fmt.Sprintf("the snapshot has game %s, which the filters do not select at revision %d", e.Game, e.Revision)
	case e.Last:
		return fmt.Sprintf("the record of game %s is marked as the last event of the snapshot: a consumer that resumes here misses the others", e.Game)
	}
	s.snapshot.games[e.Game] = true
	s.keep(v)
	return recordFault("after", e.After, v)
}

// addFormer checks the deletion of a game that the consumer had before a resync.
func (s *stream) addFormer(e *recording.Event) string {
	former := s.snapshot.former[e.Game]
	switch {
	case former == nil:
		return fmt.Sprintf("the snapshot has the deletion of game %s, which the stream had not delivered", e.Game)
	case s.c.history.Games[e.Game].At(e.Revision).Exists():
		return fmt.Sprintf("the snapshot has the deletion of game %s, which had a record at revision %d", e.Game, e.Revision)
	}
	delete(s.snapshot.former, e.Game)
	return recordFault("before", e.Before, former)
}

// addSynced checks that the snapshot is complete.
func (s *stream) addSynced(e *recording.Event) string {
	if !e.Last {
		return "the event synced is not marked as the last one of its revision"
	}
	for id, g := range s.c.history.Games {
		v := g.At(e.Revision)
		if s.matches(v) && !s.snapshot.games[id] {
			return fmt.Sprintf("the snapshot misses game %s, as of revision %d", id, v.Revision)
		}
		if former := s.snapshot.former[id]; former != nil && !v.Exists() {
			return fmt.Sprintf("the snapshot misses the deletion of game %s, which the stream had delivered", id)
		}
	}
	s.snapshot = nil
	s.moveTo(e.Revision)
	return ""
}
