package etcdstore

import (
	"context"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
)

// compareIndex compares that the game's index keys are what the record says:
// the one under its status with its container id, and no other. They are
// whenever the record is the one expected, so anything else is damage, which a
// write must not cover up.
func (s *Store) compareIndex(w *prepared) {
	for _, status := range runtime.Statuses() {
		key := s.keys.index(status, w.change.gameID)
		if rec := w.base.record; rec != nil && rec.Status == status {
			w.compares = append(w.compares, clientv3.Compare(clientv3.Value(key), "=", rec.CurrentContainerID))
		} else {
			w.compares = append(w.compares, clientv3.Compare(clientv3.CreateRevision(key), "=", 0))
		}
	}
}

// indexDamage looks for the index key on which a write's compares have failed. It
// asks for the keys only now: damage is rare, and every write would carry them. It
// returns nil where it finds none, or the record is not the one expected any more.
func (s *Store) indexDamage(ctx context.Context, w *prepared) error {
	gets := []clientv3.Op{clientv3.OpGet(s.keys.record(w.change.gameID))}
	for _, status := range runtime.Statuses() {
		gets = append(gets, clientv3.OpGet(s.keys.index(status, w.change.gameID)))
	}
	found, err := s.getEach(ctx, gets)
	if err != nil {
		return err
	}
	if found[0].GetModRevision() != w.base.revision() {
		return nil
	}
	for i, status := range runtime.Statuses() {
		held := found[1+i]
		if reason := indexFault(w.base.record, status, held); reason != "" {
			return &runtime.CorruptError{Key: s.keys.index(status, w.change.gameID), GameID: w.change.gameID, Reason: reason}
		}
	}
	return nil
}

// indexFault says what is wrong with a game's index key under a status, held or
// nil for none; empty is nothing. rec is the game's record, nil for none.
func indexFault(rec *current, status runtime.Status, held *mvccpb.KeyValue) string {
	rightful := rec != nil && rec.Status == status
	switch {
	case rightful && held == nil:
		return fmt.Sprintf("the record is %s and has no index key", status)
	case rightful && string(held.GetValue()) != rec.CurrentContainerID:
		return fmt.Sprintf("the index says container %q and the record says %q", held.GetValue(), rec.CurrentContainerID)
	case held != nil && rec == nil:
		return "the index names a game without a record"
	case held != nil && !rightful:
		return fmt.Sprintf("the index says %s and the record says %s", status, rec.Status)
	default:
		return ""
	}
}
