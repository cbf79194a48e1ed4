package etcdstore

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// appendGuard appends the compare of the guard, if there is one. An operation in
// progress has a key in the index of its node, which a compare can test without a read.
func (t *recordTxn) appendGuard(compares []*pb.Compare) []*pb.Compare {
	keys, gameID := t.store.keys, t.mutation.gameID
	switch t.guard {
	case ports.GuardNoIntent:
		return append(compares, etcd.CompareCreateRevision([]byte(keys.Intent(gameID)), 0))
	case ports.GuardNoOperation:
		ref := t.guardedNode()
		return append(compares, etcd.CompareCreateRevision([]byte(keys.OperationIndexKey(ref.Region, ref.Name, gameID)), 0))
	default:
		return compares
	}
}

// guardedNode returns the node of the current record, or of the new one if there is none.
func (t *recordTxn) guardedNode() node.Ref {
	if t.base.record != nil {
		return node.RefOf(t.base.record.RuntimeRecord)
	}
	return node.RefOf(t.record.RuntimeRecord)
}

// checkGuard returns the error of a guard that does not hold for the intent, nil if it holds.
func (t *recordTxn) checkGuard(intent []*mvccpb.KeyValue) error {
	if len(intent) == 0 {
		return nil
	}
	stored, err := t.store.keys.VersionedIntent(intent[0])
	if err != nil {
		return err
	}
	current := stored.Intent.Current
	switch {
	case current == nil && t.guard == ports.GuardNoIntent:
		return &operation.ManagedError{GameID: t.mutation.gameID, Node: t.guardedNode(), To: t.mutation.to}
	case current != nil && (t.guard == ports.GuardNoIntent || current.NodeRef() == t.guardedNode()):
		return operation.NewBusyError(t.mutation.gameID, *current)
	default:
		return nil
	}
}
