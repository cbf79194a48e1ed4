package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
)

// pageKeys is the number of keys or records that FindStores and MarkRestored read at once.
const pageKeys = 10_000

// FindStores returns the prefixes of all stores in the etcd of the client, in their
// order. It reads the name of every key, and is meant for a copy of an etcd.
func FindStores(ctx context.Context, client *clientv3.Client) (prefixes []string, err error) {
	schemaSuffix := layout.NewKeys("").Schema()
	err = scanKeys(ctx, client, "\x00", func(kvs []*mvccpb.KeyValue) error {
		for _, kv := range kvs {
			prefix, isSchema := strings.CutSuffix(string(kv.GetKey()), schemaSuffix)
			if !isSchema {
				continue
			}
			stored, err := client.Get(ctx, string(kv.GetKey()))
			if err != nil {
				return err
			}
			// A key of another program may have this name.
			if _, err := layout.DecodeSchema(stored.Kvs[0]); err == nil || errors.Is(err, runtime.ErrIncompatible) {
				prefixes = append(prefixes, prefix)
			}
		}
		return nil
	}, clientv3.WithFromKey(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, fmt.Errorf("find stores: %w", err)
	}
	slices.Sort(prefixes)
	return prefixes, nil
}

// scanKeys calls use with every page of the range that starts with key, at one revision.
func scanKeys(ctx context.Context, client *clientv3.Client, key string, use func([]*mvccpb.KeyValue) error, options ...clientv3.OpOption) error {
	var revision int64
	for {
		page, err := client.Get(ctx, key, append(options, clientv3.WithLimit(pageKeys), clientv3.WithRev(revision))...)
		if err != nil {
			return err
		}
		if err := use(page.Kvs); err != nil || !page.More {
			return err
		}
		revision = page.Header.GetRevision()
		key = string(page.Kvs[len(page.Kvs)-1].GetKey()) + "\x00"
	}
}

// Restoration describes a restore from a backup.
type Restoration struct {
	ID string
	At time.Time
	// ClusterID is the id of the cluster that the restore creates. FormerCluster is that of
	// the cluster of the backup, 0 if it is unknown.
	ClusterID, FormerCluster uint64
}

// MarkRestored prepares the store of the prefix for its life in a restored cluster. It writes
// the restore to the schema, and writes each record without a change, so that it has another
// revision: then no write that was computed before the restore succeeds. The client is of a
// copy of the store that nothing else uses.
func MarkRestored(ctx context.Context, client *clientv3.Client, prefix string, restoration Restoration) error {
	keys := layout.NewKeys(prefix)
	stored, err := client.Get(ctx, keys.Schema())
	if err != nil {
		return err
	}
	if len(stored.Kvs) == 0 {
		return &runtime.CorruptError{Key: keys.Schema(), Reason: "it does not exist"}
	}
	schema, err := layout.DecodeSchema(stored.Kvs[0])
	if err != nil {
		return err
	}
	identity := strings.TrimPrefix(schema.ID(restoration.FormerCluster), schema.StoreID+"-")
	schema.Restore = &layout.Restore{
		ID: restoration.ID, At: restoration.At,
		ClusterID: layout.FormatClusterID(restoration.ClusterID), IdentityOf: identity,
	}
	value, err := schema.Encode()
	if err != nil {
		return err
	}
	if _, err := client.Put(ctx, keys.Schema(), value); err != nil {
		return err
	}
	family := keys.Records()
	return scanKeys(ctx, client, family, func(kvs []*mvccpb.KeyValue) error {
		for len(kvs) > 0 {
			var puts []clientv3.Op
			for bytes := 0; len(kvs) > 0 && len(puts) < maxTxnOps && bytes < maxTxnBytes; kvs = kvs[1:] {
				key, value := string(kvs[0].GetKey()), string(kvs[0].GetValue())
				puts = append(puts, clientv3.OpPut(key, value))
				bytes += len(key) + len(value)
			}
			if _, err := client.Txn(ctx).Then(puts...).Commit(); err != nil {
				return err
			}
		}
		return nil
	}, clientv3.WithRange(clientv3.GetPrefixRangeEnd(family)))
}

// maxTxnOps and maxTxnBytes bound a transaction of MarkRestored: etcd accepts 128 operations
// and 1.5 MiB. A record has at most 64 KiB.
const (
	maxTxnOps   = 128
	maxTxnBytes = 1 << 20
)
