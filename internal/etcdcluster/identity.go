package etcdcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Identity is what the members of an embedded cluster have in common.
type Identity struct {
	// Token is the name that the operator has given to the cluster.
	Token string `json:"token"`
}

// ErrNoIdentity is the error of a cluster whose members are not embedded in daemons.
var ErrNoIdentity = errors.New("its members are not embedded in daemons of rtmanager")

// EnsureIdentity stores the identity unless one is stored. It takes no round trip if the member of
// the client's connection has one.
func EnsureIdentity(ctx context.Context, client *clientv3.Client, identity Identity) error {
	value, err := json.Marshal(identity)
	if err != nil {
		return err
	}
	got, err := client.Get(ctx, identityKey, clientv3.WithSerializable())
	if err != nil || len(got.Kvs) > 0 {
		return err
	}
	_, err = client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(identityKey), "=", 0)).
		Then(clientv3.OpPut(identityKey, string(value))).
		Commit()
	return err
}

// DeleteIdentity deletes the identity from the copy of a cluster that is restored. The first
// member of the restored cluster stores its own.
func DeleteIdentity(ctx context.Context, client *clientv3.Client) error {
	_, err := client.Delete(ctx, identityKey)
	return err
}

// LoadIdentity returns the identity of the cluster, and ErrNoIdentity if there is none.
func LoadIdentity(ctx context.Context, client *clientv3.Client) (Identity, error) {
	got, err := client.Get(ctx, identityKey)
	if err != nil {
		return Identity{}, err
	}
	if len(got.Kvs) == 0 {
		return Identity{}, ErrNoIdentity
	}
	var identity Identity
	if err := json.Unmarshal(got.Kvs[0].GetValue(), &identity); err != nil {
		return Identity{}, fmt.Errorf("key %s: %w", identityKey, err)
	}
	return identity, nil
}
