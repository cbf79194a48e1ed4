package etcdsecrets

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/etcd"
)

// PutSecret implements ports.SecretStore. Each write has a ciphertext or a wrapped key of its
// own, so an ambiguous write is resolved by a comparison of the stored value.
func (s *Store) PutSecret(ctx context.Context, encrypted secret.Encrypted, revision int64) error {
	value, err := encode(encrypted)
	if err == nil {
		err = s.change(ctx, etcd.SecretKey(s.prefix, encrypted.Name), revision, &value)
	}
	if err != nil {
		return fmt.Errorf("write secret %q: %w", encrypted.Name, err)
	}
	return nil
}

// DeleteSecret implements ports.SecretStore.
func (s *Store) DeleteSecret(ctx context.Context, name string, revision int64) error {
	if err := s.change(ctx, etcd.SecretKey(s.prefix, name), revision, nil); err != nil {
		return fmt.Errorf("delete secret %q: %w", name, err)
	}
	return nil
}

// change puts the value at the key, or deletes the key if value is nil, if the key has the
// revision. It repeats the request until the outcome is known or the timeout of the operation
// ends.
func (s *Store) change(ctx context.Context, key string, revision int64, value *string) error {
	ctx, cancel := s.etcd.WithOperationTimeout(ctx)
	defer cancel()
	write := clientv3.OpDelete(key)
	if value != nil {
		write = clientv3.OpPut(key, *value)
	}
	backoff := etcd.NewBackoff()
	for isAmbiguous := false; ; {
		resp, err := etcd.TryOnce(ctx, s.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
			return s.etcd.Raw.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", revision)).
				Then(write).Else(clientv3.OpGet(key)).Commit()
		})
		if err == nil {
			err = s.etcd.CheckCluster(resp.Header.GetClusterId())
			switch {
			case err != nil:
				return err
			case resp.Succeeded || isResult(resp, value):
				return nil
			}
			return secret.ErrConflict
		}
		class := etcd.Classify(err)
		isAmbiguous = isAmbiguous || class == etcd.Ambiguous
		switch {
		case class == etcd.Permanent:
		case isAmbiguous && backoff.Wait(ctx), !isAmbiguous && backoff.WaitAfter(ctx, err):
			continue
		}
		if class == etcd.Permanent {
			err = etcd.ToDomainError(err)
		} else {
			err = etcd.UnavailableError(ctx, err)
		}
		if isAmbiguous {
			return fmt.Errorf("%w: %w", runtime.ErrOutcomeUnknown, err)
		}
		return err
	}
}

// isResult reports whether the key, as the failed compare has read it, is as the write would
// leave it.
func isResult(resp *clientv3.TxnResponse, value *string) bool {
	kvs := resp.Responses[0].GetResponseRange().GetKvs()
	if value == nil {
		return len(kvs) == 0
	}
	return len(kvs) == 1 && string(kvs[0].GetValue()) == *value
}
