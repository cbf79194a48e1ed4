package etcdstore

import (
	"context"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/recordcache"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/planted"
	"galaxy/rtmanager/internal/ports"
)

// watchEvent is one element of a stream: an event, or the report of a value that cannot be
// read.
type watchEvent struct {
	event ports.RuntimeEvent
	err   error
	// prevUnreadable means that the value before the change could not be read, so that it is
	// unknown which filters it matched.
	prevUnreadable bool
}

// corruptEvent reports a value that cannot be decoded.
func corruptEvent(err error, revision int64) watchEvent {
	e := watchEvent{event: ports.RuntimeEvent{Revision: revision}, err: err}
	if corrupt, ok := errors.AsType[*runtime.CorruptError](err); ok {
		e.event.GameID = corrupt.GameID
	}
	return e
}

// eventType returns the type of the event of a write.
func eventType(rec *layout.Record) ports.EventType {
	if rec.LastWrite.Kind == layout.WriteTransition && !rec.LastWrite.HasNewerCondition {
		return ports.EventTransitioned
	}
	return ports.EventUpserted
}

// decodeEvent decodes an event of a record's key. It only reads the etcd event: on the
// in-process client that is the server's memory.
//
// The error is runtime.ErrCompacted if the value before the change has been compacted.
func (s *Store) decodeEvent(ctx context.Context, ev *clientv3.Event) (watchEvent, error) {
	event := ports.RuntimeEvent{Revision: ev.Kv.GetModRevision()}
	before, err := s.prevRecord(ctx, ev)
	prevUnreadable := errors.Is(err, runtime.ErrCorrupt) // it was reported when it was written
	if err != nil && !prevUnreadable {
		return watchEvent{}, err
	}
	if before != nil {
		event.Before, event.GameID = &before.RuntimeRecord, before.GameID
	}
	if ev.Type == clientv3.EventTypeDelete {
		return s.deletedEvent(event, string(ev.Kv.GetKey()), prevUnreadable), nil
	}
	after, err := s.keys.DecodeRecord(ev.Kv)
	if err != nil {
		return corruptEvent(err, event.Revision), nil
	}
	event.Type, event.After, event.GameID = eventType(after), &after.RuntimeRecord, after.GameID
	return watchEvent{event: event, prevUnreadable: prevUnreadable}, nil
}

// deletedEvent completes the event of a deletion, whose value etcd does not repeat: the key
// names the game.
func (s *Store) deletedEvent(event ports.RuntimeEvent, key string, prevUnreadable bool) watchEvent {
	gameID, err := s.keys.GameOfRecord(key)
	if err != nil {
		return corruptEvent(&runtime.CorruptError{Key: key, Reason: "the key does not name a game: " + err.Error()}, event.Revision)
	}
	event.Type, event.GameID = ports.EventDeleted, gameID
	return watchEvent{event: event, prevUnreadable: prevUnreadable}
}

// prevRecord returns the record that a change replaced, nil if there was none. The error is
// runtime.ErrCorrupt for one that cannot be read.
func (s *Store) prevRecord(ctx context.Context, ev *clientv3.Event) (*layout.Record, error) {
	if ev.IsCreate() {
		return nil, nil
	}
	kv := ev.PrevKv
	if kv == nil {
		// etcd omits it at the edge of compaction. It exists one revision earlier, or the
		// stream has a gap.
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

// eventOfChange returns the event of a change in the event log. Its records are the cache's:
// they must be cloned before a consumer gets them.
func eventOfChange(c recordcache.Change) watchEvent {
	event := ports.RuntimeEvent{Revision: c.Revision}
	prevUnreadable := false
	if c.Before != nil {
		event.Before, event.GameID = eventRecord(c.Before)
		prevUnreadable = c.Before.DecodeErr != nil
	}
	if c.After == nil {
		event.Type = ports.EventDeleted
		if event.GameID == "" {
			return corruptEvent(c.Before.DecodeErr, c.Revision) // the key does not name a game
		}
		return watchEvent{event: event, prevUnreadable: prevUnreadable}
	}
	if c.After.DecodeErr != nil {
		return corruptEvent(c.After.DecodeErr, c.Revision)
	}
	event.Type = eventType(&c.After.Record)
	event.After, event.GameID = eventRecord(c.After)
	if event.Before != nil && planted.Sometimes(planted.WrongBefore, 20) {
		event.Before = event.After
	}
	return watchEvent{event: event, prevUnreadable: prevUnreadable}
}

// eventRecord returns a cached record as events have it, nil for one that cannot be read, and
// its game id.
func eventRecord(r *recordcache.Record) (*runtime.RuntimeRecord, string) {
	if r.DecodeErr != nil {
		return nil, r.DecodeErr.GameID
	}
	return &r.RuntimeRecord, r.GameID
}
