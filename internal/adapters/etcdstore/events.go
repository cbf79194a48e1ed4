package etcdstore

import (
	"context"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// told is what a consumer is told at one point of its stream: an event, or with
// a fault the report of a value that cannot be read.
type told struct {
	event ports.RuntimeEvent
	fault error
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
	if err != nil {
		return told{}, err
	}
	if before != nil {
		rec := before.Clone()
		event.Before, event.GameID = &rec, rec.GameID
	}
	if ev.Type == clientv3.EventTypeDelete {
		return s.tellDelete(event, ev), nil
	}
	after, err := s.keys.decodeRecord(ev.Kv)
	if err != nil {
		return fault(err, event.Revision), nil
	}
	rec := after.Clone()
	event.After, event.GameID = &rec, rec.GameID
	event.Type = ports.EventUpserted
	if after.LastOp.Verb == verbTransition {
		event.Type = ports.EventTransitioned
	}
	return told{event: event}, nil
}

// tellDelete makes the event of a deletion, whose value etcd does not repeat:
// the key alone tells the game.
func (s *Store) tellDelete(event ports.RuntimeEvent, ev *clientv3.Event) told {
	gameID, err := s.keys.gameOfRecord(string(ev.Kv.GetKey()))
	if err != nil {
		return fault(&runtime.CorruptError{Key: string(ev.Kv.GetKey()), Reason: "the key is not a game's: " + err.Error()}, event.Revision)
	}
	event.Type, event.GameID = ports.EventDeleted, gameID
	return told{event: event}
}

// before returns the record that a change replaced; nil where there was none,
// or none that can be read.
func (s *Store) before(ctx context.Context, ev *clientv3.Event) (*current, error) {
	if ev.IsCreate() {
		return nil, nil
	}
	kv := ev.PrevKv
	if kv == nil {
		// etcd leaves it out at the edge of compaction. A value must not be made
		// up: it is there, one revision earlier, or the stream has a gap.
		resp, err := s.get(ctx, string(ev.Kv.GetKey()), clientv3.WithRev(ev.Kv.GetModRevision()-1))
		if err != nil {
			return nil, err
		}
		if len(resp.Kvs) == 0 {
			return nil, nil
		}
		kv = resp.Kvs[0]
	}
	rec, err := s.keys.decodeRecord(kv)
	if err != nil {
		return nil, nil //nolint:nilerr // reported when it was written; here there is just no record to show
	}
	return rec, nil
}
