package etcdstore

import (
	"context"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/etcd"
)

// mend is the transaction that repairs one finding: pinned to the very keys
// that were seen, so that whatever has changed since is left alone.
type mend struct {
	what   string // for people
	pinned []clientv3.Cmp
	ops    []clientv3.Op
}

// repair carries out what the findings propose, each on its own.
func (c *checker) repair(ctx context.Context) {
	for _, f := range c.findings {
		if f.mend == nil {
			continue
		}
		resp, err := etcd.RetryRead(ctx, c.store.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
			return c.store.client.Txn(ctx).If(f.mend.pinned...).Then(f.mend.ops...).Commit()
		})
		switch {
		case err != nil:
			f.RepairError = err.Error()
		case !resp.Succeeded:
			f.RepairError = "the keys have changed since they were checked; check again"
		default:
			f.Repaired = true
		}
	}
}

// pinRecord compares that a record still is the one that was checked.
func (c *checker) pinRecord(rec *layout.Record) clientv3.Cmp {
	return clientv3.Compare(clientv3.ModRevision(c.store.keys.Record(rec.GameID)), "=", rec.ModRevision)
}

// dropIndex deletes an index key; rec is the game's record, nil where there is
// none.
func (c *checker) dropIndex(kv *mvccpb.KeyValue, rec *layout.Record) *mend {
	key := string(kv.GetKey())
	m := &mend{
		what:   "delete the index key",
		pinned: []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(key), "=", kv.GetModRevision())},
		ops:    []clientv3.Op{clientv3.OpDelete(key)},
	}
	if rec != nil {
		m.pinned = append(m.pinned, c.pinRecord(rec))
	}
	return m
}

// writeIndex writes the index key that the record ought to have, over the one
// last changed at the given revision, 0 for none.
func (c *checker) writeIndex(revision int64, rec *layout.Record) *mend {
	key := c.store.keys.StatusIndexKey(rec.Status, rec.GameID)
	return &mend{
		what:   fmt.Sprintf("write the index key with container %q", rec.CurrentContainerID),
		pinned: []clientv3.Cmp{c.pinRecord(rec), clientv3.Compare(clientv3.ModRevision(key), "=", revision)},
		ops:    []clientv3.Op{clientv3.OpPut(key, rec.CurrentContainerID)},
	}
}

// writeEntry writes the ledger entry of the record's last operation from what
// the record still tells of it, and says in the entry that it did, over the one
// last changed at the given revision, 0 for none.
func (c *checker) writeEntry(revision int64, rec *layout.Record) *mend {
	if rec.LastWrite.Seq < 1 || rec.LastWrite.OperationID == "" {
		return nil // the record was not written by a store and does not tell
	}
	value, err := layout.EncodeLedgerEntry(layout.StoredLedgerEntry{
		Seq: rec.LastWrite.Seq, To: rec.Status, At: rec.LastOpAt, OperationID: rec.LastWrite.OperationID,
		Actor: "fsck", Reason: "rebuilt from the record: the entry was missing or told of another write",
		ContainerID: rec.CurrentContainerID, Image: rec.CurrentImageRef,
	})
	if err != nil {
		return nil // an instant that JSON cannot write: nothing to rebuild from
	}
	key := c.store.keys.LedgerEntry(rec.GameID, rec.LastWrite.Seq)
	return &mend{
		what:   fmt.Sprintf("write entry %d from what the record tells", rec.LastWrite.Seq),
		pinned: []clientv3.Cmp{c.pinRecord(rec), clientv3.Compare(clientv3.ModRevision(key), "=", revision)},
		ops:    []clientv3.Op{clientv3.OpPut(key, value)},
	}
}
