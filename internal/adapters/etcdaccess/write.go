package etcdaccess

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// CreateToken implements ports.AccessStore.
func (s *Store) CreateToken(ctx context.Context, token access.Token) error {
	value, err := encodeToken(token)
	if err != nil {
		return fmt.Errorf("encode token %s: %w", token.Name, err)
	}
	err = s.swap(ctx, s.keys.token(token.Name), func(current *mvccpb.KeyValue) (change, error) {
		switch {
		case current == nil:
			return change{value: value}, nil
		case bytes.Equal(current.GetValue(), value): // an earlier try was applied
			return change{isDone: true}, nil
		default:
			return change{}, access.ErrExists
		}
	})
	return wrap(err, "create token", token.Name)
}

// DeleteToken implements ports.AccessStore.
func (s *Store) DeleteToken(ctx context.Context, name string) error {
	wasPresent := false
	err := s.swap(ctx, s.keys.token(name), func(current *mvccpb.KeyValue) (change, error) {
		if current == nil && !wasPresent {
			return change{}, access.ErrUnknownSubject
		}
		isDone := current == nil
		wasPresent = true
		return change{isDone: isDone, also: s.keys.use(name)}, nil
	})
	return wrap(err, "revoke token", name)
}

// UpdateBinding implements ports.AccessStore.
func (s *Store) UpdateBinding(ctx context.Context, subject string, update func(access.Binding) (access.Binding, error)) error {
	err := s.swap(ctx, s.keys.binding(subject), func(current *mvccpb.KeyValue) (change, error) {
		binding := access.Binding{Subject: subject}
		if current != nil {
			var err error
			if binding, err = decodeBinding(subject, current.GetValue()); err != nil {
				return change{}, &runtime.CorruptError{Key: s.keys.binding(subject), Reason: err.Error()}
			}
		}
		binding, err := update(binding)
		if err != nil {
			return change{}, err
		}
		if len(binding.Grants) == 0 {
			return change{isDone: current == nil}, nil
		}
		value, err := encodeBinding(binding)
		if err != nil {
			return change{}, err
		}
		return change{value: value, isDone: current != nil && bytes.Equal(value, current.GetValue())}, nil
	})
	return wrap(err, "change the roles of", subject)
}

func wrap(err error, action, name string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", action, name, err)
}

// change is the next value of a key.
type change struct {
	value  []byte // nil deletes the key
	also   string // a further key to delete; empty for none
	isDone bool   // the key has the value already
}

// swap changes the value of a key by compare-and-swap. next computes the change from the
// current value, nil for none, and may run several times: also after a try whose response
// was lost.
func (s *Store) swap(ctx context.Context, key string, next func(current *mvccpb.KeyValue) (change, error)) error {
	ctx, cancel := s.etcd.WithOperationTimeout(ctx)
	defer cancel()
	backoff := etcd.NewBackoff()
	for isAmbiguous := false; ; {
		isDone, err := s.trySwap(ctx, key, next)
		if isDone {
			return err
		}
		isAmbiguous = isAmbiguous || etcd.Classify(err) == etcd.Ambiguous
		if backoff.Wait(ctx) {
			continue
		}
		if isAmbiguous {
			return fmt.Errorf("%w: %w", runtime.ErrOutcomeUnknown, etcd.UnavailableError(ctx, err))
		}
		return etcd.UnavailableError(ctx, err)
	}
}

var errChanged = fmt.Errorf("%w: another write has changed the value", etcd.ErrNotSent)

// trySwap makes one try of swap. isDone is false, with the reason, if it must be repeated.
func (s *Store) trySwap(ctx context.Context, key string, next func(current *mvccpb.KeyValue) (change, error)) (isDone bool, err error) {
	found, err := s.etcd.Get(ctx, key)
	if err != nil {
		return true, err
	}
	var current *mvccpb.KeyValue
	var modified int64
	if len(found.Kvs) > 0 {
		current, modified = found.Kvs[0], found.Kvs[0].GetModRevision()
	}
	to, err := next(current)
	if err != nil || to.isDone {
		return true, err
	}
	ops := []clientv3.Op{clientv3.OpPut(key, string(to.value))}
	if to.value == nil {
		ops[0] = clientv3.OpDelete(key)
	}
	if to.also != "" {
		ops = append(ops, clientv3.OpDelete(to.also))
	}
	resp, err := etcd.TryOnce(ctx, s.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return s.etcd.Raw.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", modified)).Then(ops...).Commit()
	})
	switch {
	case err != nil && etcd.Classify(err) == etcd.Permanent:
		return true, etcd.ToDomainError(err)
	case err != nil:
		return false, err
	case !resp.Succeeded:
		return false, errChanged
	}
	return true, s.etcd.CheckCluster(resp.Header.GetClusterId())
}

// RecordTokenUses implements ports.AccessStore.
func (s *Store) RecordTokenUses(ctx context.Context, uses map[string]time.Time) error {
	for name, at := range uses {
		// The use of a deleted token must not be stored.
		_, err := etcd.TryOnce(ctx, s.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
			return s.etcd.Raw.Txn(ctx).
				If(clientv3.Compare(clientv3.CreateRevision(s.keys.token(name)), ">", 0)).
				Then(clientv3.OpPut(s.keys.use(name), at.UTC().Format(time.RFC3339))).Commit()
		})
		if err != nil {
			return fmt.Errorf("record the use of token %s: %w", name, err)
		}
	}
	return nil
}
