package layout

import (
	"fmt"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// CompareStatusIndex appends the compares that a game's status index keys are what its
// record implies: one key, under the record's status and with its container id. rec is nil
// if there is no record. They hold whenever the record is the expected one; anything else
// is corruption, which a write must not hide.
func (g *GameKeys) CompareStatusIndex(compares []*pb.Compare, rec *Record) []*pb.Compare {
	for i, status := range runtime.Statuses() {
		if rec != nil && rec.Status == status {
			compares = append(compares, etcd.CompareValue(g.StatusIndex[i], []byte(rec.CurrentContainerID)))
		} else {
			compares = append(compares, etcd.CompareCreateRevision(g.StatusIndex[i], 0))
		}
	}
	return compares
}

// StatusIndexFault returns what is wrong with a game's index key under a status, empty for
// nothing. rec is nil if there is no record, and index is nil if there is no such key.
func StatusIndexFault(rec *Record, status runtime.Status, index *mvccpb.KeyValue) string {
	isExpected := rec != nil && rec.Status == status
	switch {
	case isExpected && index == nil:
		return fmt.Sprintf("the record is %s and has no index key", status)
	case isExpected && string(index.GetValue()) != rec.CurrentContainerID:
		return fmt.Sprintf("the index has container %q and the record has %q", index.GetValue(), rec.CurrentContainerID)
	case index != nil && rec == nil:
		return "the index names a game without a record"
	case index != nil && !isExpected:
		return fmt.Sprintf("the index has status %s and the record has %s", status, rec.Status)
	default:
		return ""
	}
}

// UpdateOperationIndex returns the operations that keep the index of operations correct
// when the game's operation in progress changes; nil means none. They belong in the
// transaction that writes the intent.
func (k Keys) UpdateOperationIndex(gameID string, from, to *operation.Operation) []*pb.RequestOp {
	var ops []*pb.RequestOp
	if from != nil && (to == nil || from.Region != to.Region || from.Node != to.Node) {
		ops = append(ops, etcd.DeleteOp([]byte(k.OperationIndexKey(from.Region, from.Node, gameID)), nil))
	}
	if to != nil { // at every step, which restores a key that another client has deleted
		ops = append(ops, etcd.PutOp([]byte(k.OperationIndexKey(to.Region, to.Node, gameID)), nil))
	}
	return ops
}

// UpdateOperationIDs returns the operations that keep the index of operation ids correct when a
// game's intent is replaced. They belong in the transaction that writes the intent. Ids that both
// intents have are not written: the ones of an earlier version, which has no index, stay unknown.
func (k Keys) UpdateOperationIDs(from, to operation.Intent) []*pb.RequestOp {
	former, current := from.OperationIDs(), to.OperationIDs()
	var ops []*pb.RequestOp
	for _, id := range former {
		if !slices.Contains(current, id) {
			ops = append(ops, etcd.DeleteOp([]byte(k.OperationIDKey(id, to.GameID)), nil))
		}
	}
	for _, id := range current {
		if !slices.Contains(former, id) {
			ops = append(ops, etcd.PutOp([]byte(k.OperationIDKey(id, to.GameID)), nil))
		}
	}
	return ops
}
