package etcdstore

import (
	"context"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// told is what a consumer is told at one point of its stream: an event, or with
// a fault the report of a value that cannot be read.
type told struct {
	event ports.RuntimeEvent
	fault error
	// blind tells that the value before the change could not be read, so that
	// nobody knows which filters it passed.
	blind bool
}

// fault reports a value that decodeRecord could not read.
func fault(err error, revision int64) told {
	t := told{event: ports.RuntimeEvent{Revision: revision}, fault: err}
	if corrupt, ok := errors.AsType[*runtime.CorruptError](err); ok {
		t.event.GameID = corrupt.GameID
	}
	return t
}

// tell makes an event of what etcd says of a record's key. It only reads the
// etcd event: on the in-process client that is the server's own memory.
//
// The error is runtime.ErrCompacted when the value before the change is gone.
func (s *Store) tell(ctx context.Context, ev *clientv3.Event) (told, error) {
	event := ports.RuntimeEvent{Revision: ev.Kv.GetModRevision()}
	before, err := s.before(ctx, ev)
	blind := errors.Is(err, runtime.ErrCorrupt) // which was reported when it was written
	if err != nil && !blind {
		return told{}, err
	}
	if before != nil {
		event.Before, event.GameID = &before.RuntimeRecord, before.GameID
	}
	if ev.Type == clientv3.EventTypeDelete {
		return s.tellDelete(event, ev, blind), nil
	}
	after, err := s.keys.DecodeRecord(ev.Kv)
	if err != nil {
		return fault(err, event.Revision), nil
	}
	event.After, event.GameID = &after.RuntimeRecord, after.GameID
	event.Type = ports.EventUpserted
	if after.LastWrite.Kind == layout.WriteTransition {
		event.Type = ports.EventTransitioned
	}
	return told{event: event, blind: blind}, nil
}

// tellDelete makes the event of a deletion, whose value etcd does not repeat:
// the key alone tells the game.
func (s *Store) tellDelete(event ports.RuntimeEvent, ev *clientv3.Event, blind bool) told {
	gameID, err := s.keys.GameOfRecord(string(ev.Kv.GetKey()))
	if err != nil {
		return fault(&runtime.CorruptError{Key: string(ev.Kv.GetKey()), Reason: "the key is not a game's: " + err.Error()}, event.Revision)
	}
	event.Type, event.GameID = ports.EventDeleted, gameID
	return told{event: event, blind: blind}
}

// before returns the record that a change replaced, nil where there was none. It
// returns runtime.ErrCorrupt for one that cannot be read.
func (s *Store) before(ctx context.Context, ev *clientv3.Event) (*layout.Record, error) {
	if ev.IsCreate() {
		return nil, nil
	}
	kv := ev.PrevKv
	if kv == nil {
		// etcd leaves it out at the edge of compaction. A value must not be made
		// up: it is there, one revision earlier, or the stream has a gap.
		resp, err := s.etcd.Get(ctx, string(ev.Kv.GetKey()), clientv3.WithRev(ev.Kv.GetModRevision()-1))
		if err != nil {
			return nil, err
		}
		if len(resp.Kvs) == 0 {
			return nil, nil
		}
		kv = resp.Kvs[0]
	}
	return s.keys.DecodeRecord(kv)
}
