package etcdstore

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type storedIntent struct {
	operation.Intent
	Write string `json:"write"`
}

func (s *Store) intentKey(gameID string) string { return s.keys.prefix + "/operations/" + escape(gameID) }

func (s *Store) GetIntent(ctx context.Context, gameID string) (ports.VersionedIntent, error) {
	resp, err := s.get(ctx, s.intentKey(gameID))
	if err != nil || len(resp.Kvs) == 0 {
		return ports.VersionedIntent{Intent: operation.Intent{GameID: gameID}}, err
	}
	var v storedIntent
	err = json.Unmarshal(resp.Kvs[0].Value, &v)
	return ports.VersionedIntent{Intent: v.Intent, Revision: resp.Kvs[0].ModRevision}, err
}

func (s *Store) PutIntent(ctx context.Context, in operation.Intent, rev int64, fences ...ports.Fence) (int64, error) {
	key := s.intentKey(in.GameID)
	value, err := json.Marshal(storedIntent{in, uuid.NewString()})
	if err != nil {
		return 0, err
	}
	cmps := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(key), "=", rev)}
	var gets []clientv3.Op
	for _, f := range fences {
		cmps = append(cmps, clientv3.Compare(clientv3.CreateRevision(f.Key), "=", f.CreateRevision))
		gets = append(gets, clientv3.OpGet(f.Key))
	}
	resp, err := s.client.Txn(ctx).If(cmps...).Then(clientv3.OpPut(key, string(value))).Else(gets...).Commit()
	if err != nil {
		return 0, unavailable(ctx, err)
	}
	if resp.Succeeded {
		return resp.Header.Revision, nil
	}
	for i, f := range fences {
		kvs := resp.Responses[i].GetResponseRange().Kvs
		if len(kvs) == 0 || kvs[0].CreateRevision != f.CreateRevision {
			return 0, runtime.ErrFenced
		}
	}
	return 0, &runtime.ConflictError{GameID: in.GameID, Expectation: runtime.ExpectRevision, Expected: fmt.Sprint(rev)}
}

func (s *Store) ListIntents(ctx context.Context) ([]ports.VersionedIntent, error) {
	resp, err := s.get(ctx, s.keys.prefix+"/operations/", clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	var all []ports.VersionedIntent
	for _, kv := range resp.Kvs {
		var v storedIntent
		if err := json.Unmarshal(kv.Value, &v); err != nil {
			return nil, err
		}
		all = append(all, ports.VersionedIntent{Intent: v.Intent, Revision: kv.ModRevision})
	}
	return all, nil
}
