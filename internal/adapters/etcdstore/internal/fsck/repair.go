package fsck

import (
	"context"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/etcd"
)

// repairTxn is the transaction that repairs one finding. Its preconditions compare the keys
// that were checked, so that it changes nothing that has changed since.
type repairTxn struct {
	description   string
	preconditions []clientv3.Cmp
	ops           []clientv3.Op
}

// Repair executes the repair of each finding in a transaction of its own, and records the
// results in the report. It also deletes, and reports, obsolete keys.
func (c *Checker) Repair(ctx context.Context) {
	c.findings, c.obsolete = append(c.findings, c.obsolete...), nil
	for _, f := range c.findings {
		if f.repair == nil {
			continue
		}
		resp, err := etcd.RetryRead(ctx, c.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
			return c.etcd.Raw.Txn(ctx).If(f.repair.preconditions...).Then(f.repair.ops...).Commit()
		})
		switch {
		case err != nil:
			f.RepairError = err.Error()
		case !resp.Succeeded:
			f.RepairError = "the keys have changed since they were checked; run the check a second time"
		default:
			f.Repaired = true
		}
	}
}

// isUnchanged compares that a record is the one that was checked.
func (c *Checker) isUnchanged(rec *layout.Record) clientv3.Cmp {
	return clientv3.Compare(clientv3.ModRevision(c.keys.Record(rec.GameID)), "=", rec.ModRevision)
}

// deleteIndex deletes an index key; rec is the game's record, nil if there is none.
func (c *Checker) deleteIndex(kv *mvccpb.KeyValue, rec *layout.Record) *repairTxn {
	key := string(kv.GetKey())
	repair := &repairTxn{
		description:   "delete the index key",
		preconditions: []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(key), "=", kv.GetModRevision())},
		ops:           []clientv3.Op{clientv3.OpDelete(key)},
	}
	if rec != nil {
		repair.preconditions = append(repair.preconditions, c.isUnchanged(rec))
	}
	return repair
}

// deleteLedger deletes the ledger of a game that has no record, if the game was not written
// since the check.
func (c *Checker) deleteLedger(gameID string) *repairTxn {
	ledger := c.keys.LedgerOf(gameID)
	return &repairTxn{
		description: "delete the ledger",
		preconditions: []clientv3.Cmp{
			clientv3.Compare(clientv3.CreateRevision(c.keys.Record(gameID)), "=", 0),
			clientv3.Compare(clientv3.ModRevision(ledger), "<", c.revision+1).WithPrefix(),
		},
		ops: []clientv3.Op{clientv3.OpDelete(ledger, clientv3.WithPrefix())},
	}
}

// putIndex writes the index key that the record implies. revision is when the key was last
// changed, 0 if it does not exist.
func (c *Checker) putIndex(revision int64, rec *layout.Record) *repairTxn {
	key := c.keys.StatusIndexKey(rec.Status, rec.GameID)
	return &repairTxn{
		description:   fmt.Sprintf("write the index key with container %q", rec.CurrentContainerID),
		preconditions: []clientv3.Cmp{c.isUnchanged(rec), clientv3.Compare(clientv3.ModRevision(key), "=", revision)},
		ops:           []clientv3.Op{clientv3.OpPut(key, rec.CurrentContainerID)},
	}
}

// putEntry writes the ledger entry of the record's last write from what the record contains,
// and states so in the entry. revision is when the slot was last changed, 0 if it is empty. It
// returns nil if the record does not contain enough.
func (c *Checker) putEntry(revision int64, rec *layout.Record) *repairTxn {
	if rec.LastWrite.Seq < 1 || rec.LastWrite.OperationID == "" {
		return nil // the record was not written by a store
	}
	value, err := layout.EncodeLedgerEntry(layout.StoredLedgerEntry{
		Seq: rec.LastWrite.Seq, To: rec.Status, At: rec.LastOpAt, OperationID: rec.LastWrite.OperationID,
		Actor: "fsck", Reason: "rebuilt from the record: the entry was missing or described another write",
		ContainerID: rec.CurrentContainerID, Image: rec.CurrentImageRef,
	})
	if err != nil {
		return nil // a timestamp that JSON cannot express
	}
	key := c.keys.LedgerEntry(rec.GameID, rec.LastWrite.Seq)
	return &repairTxn{
		description:   fmt.Sprintf("write entry %d from the record", rec.LastWrite.Seq),
		preconditions: []clientv3.Cmp{c.isUnchanged(rec), clientv3.Compare(clientv3.ModRevision(key), "=", revision)},
		ops:           []clientv3.Op{clientv3.OpPut(key, string(value))},
	}
}
