package etcdstore

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// layoutVersion is the version of the layout of keys that this code works with.
const layoutVersion = 1

// storedSchema is the value of the schema key.
type storedSchema struct {
	Layout  int    `json:"layout"`
	StoreID string `json:"store_id"`
}

// identify returns the identity of the store, which it creates where there is
// none. The cluster's id is part of it, because a store restored into another
// cluster carries its schema key along but not its revisions.
func (s *Store) identify(ctx context.Context) (string, error) {
	key := s.keys.schema()
	found, err := s.etcd.Get(ctx, key)
	if err == nil && len(found.Kvs) == 0 {
		// Asked for first and created second, because at its space quota etcd
		// refuses every transaction that could put, even one that would not.
		err = s.createSchema(ctx)
		if err == nil {
			found, err = s.etcd.Get(ctx, key)
		}
	}
	if err != nil {
		return "", fmt.Errorf("open store at %q: %w", key, err)
	}
	if len(found.Kvs) == 0 {
		return "", &runtime.CorruptError{Key: key, Reason: "the store's identity vanished as it was created"}
	}
	var schema storedSchema
	if err := json.Unmarshal(found.Kvs[0].GetValue(), &schema); err != nil || schema.Layout < 1 || schema.StoreID == "" {
		return "", &runtime.CorruptError{Key: key, Reason: fmt.Sprintf("the value %.80q is not a store's identity", found.Kvs[0].GetValue())}
	}
	if schema.Layout > layoutVersion {
		return "", fmt.Errorf("%w: %q says layout %d and this version knows %d; upgrade rtmanager", runtime.ErrIncompatible, key, schema.Layout, layoutVersion)
	}
	s.etcd.SetClusterID(found.Header.GetClusterId())
	return fmt.Sprintf("%s-%x", schema.StoreID, s.etcd.ClusterID()), nil
}

// createSchema writes the schema key unless somebody has. It may be repeated.
func (s *Store) createSchema(ctx context.Context) error {
	key := s.keys.schema()
	value, err := json.Marshal(storedSchema{Layout: layoutVersion, StoreID: uuid.NewString()})
	if err != nil {
		return err
	}
	_, err = etcd.RetryRead(ctx, s.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return s.client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
			Then(clientv3.OpPut(key, string(value))).
			Commit()
	})
	return err
}
