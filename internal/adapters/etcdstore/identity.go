package etcdstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// loadOrCreateID sets the identity of the store, which it creates if there is none.
func (s *Store) loadOrCreateID(ctx context.Context) error {
	key := s.keys.Schema()
	found, err := s.etcd.Get(ctx, key)
	if err == nil {
		err = s.checkPrefix(ctx)
	}
	if err == nil && len(found.Kvs) == 0 {
		// The read comes first because etcd at its space quota rejects every transaction
		// that contains a put, even if the put would not run.
		if err = s.createSchema(ctx); err == nil {
			found, err = s.etcd.Get(ctx, key)
		}
	}
	if err != nil {
		return fmt.Errorf("open store at %q: %w", key, err)
	}
	if len(found.Kvs) == 0 {
		return &runtime.CorruptError{Key: key, Reason: "the identity of the store was deleted while it was created"}
	}
	schema, err := layout.DecodeSchema(found.Kvs[0])
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	s.etcd.SetClusterID(found.Header.GetClusterId())
	s.id, s.durableID = schema.ID(s.etcd.ClusterID()), schema.StoreID
	s.schema = string(found.Kvs[0].GetValue())
	if schema.Restore != nil && schema.Restore.ClusterID == layout.FormatClusterID(s.etcd.ClusterID()) {
		s.logger.Info("the store was restored from a backup", "restore_id", schema.Restore.ID, "restored_at", schema.Restore.At)
	}
	return nil
}

// checkPrefix returns runtime.ErrIncompatible if the keys of this store would be in a family of
// another store, or the other way round: each would be corrupt keys to the other. A user that may
// read its own prefix only does not see an enclosing store.
func (s *Store) checkPrefix(ctx context.Context) error {
	for _, schema := range s.keys.EnclosingSchemas() {
		found, err := s.etcd.Get(ctx, schema, clientv3.WithKeysOnly())
		switch {
		case errors.Is(err, rpctypes.ErrPermissionDenied):
		case err != nil:
			return err
		case len(found.Kvs) > 0:
			return fmt.Errorf("%w: the prefix lies within the keys of the store of %q; use another prefix", runtime.ErrIncompatible, schema)
		}
	}
	nested := s.keys.NestedSchemas()
	gets := make([]clientv3.Op, len(nested))
	for i, schema := range nested {
		gets[i] = clientv3.OpGet(schema, clientv3.WithKeysOnly())
	}
	found, err := s.etcd.GetEach(ctx, gets)
	if err != nil {
		return err
	}
	for _, kv := range found {
		if kv != nil {
			return fmt.Errorf("%w: the store of %q lies within the keys of this one; use another prefix", runtime.ErrIncompatible, kv.GetKey())
		}
	}
	return nil
}

// compareSchema compares that etcd has this store. Without it, an insert of a new etcd that
// has taken the place of the store's would pass.
func (s *Store) compareSchema() *pb.Compare {
	return etcd.CompareValue([]byte(s.keys.Schema()), []byte(s.schema))
}

// checkSchema returns runtime.ErrIncompatible unless etcd has this store.
func (s *Store) checkSchema(ctx context.Context) error {
	found, err := s.etcd.Get(ctx, s.keys.Schema())
	if err != nil {
		return err
	}
	if len(found.Kvs) > 0 && string(found.Kvs[0].GetValue()) == s.schema {
		return nil
	}
	return fmt.Errorf("%w: %q has changed or was deleted since the store was opened; restart rtmanager", runtime.ErrIncompatible, s.keys.Schema())
}

// createSchema writes the schema key unless it exists. It is idempotent.
func (s *Store) createSchema(ctx context.Context) error {
	key := s.keys.Schema()
	value, err := layout.EncodeSchema(uuid.NewString())
	if err != nil {
		return err
	}
	_, err = etcd.RetryRead(ctx, s.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return s.etcd.Raw.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
			Then(clientv3.OpPut(key, value)).
			Commit()
	})
	return err
}
