package etcdmembers

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// RemovePresence deletes the presence of all nodes and all leaderships below the prefix, with
// their leases, so that no fence and no session of before a restore is valid. The client is of
// a copy of the store that nothing else uses.
func RemovePresence(ctx context.Context, client *clientv3.Client, prefix string) error {
	keys := newKeyspace(prefix)
	for _, family := range []string{keys.nodes(), keys.leaders()} {
		found, err := client.Get(ctx, family, clientv3.WithPrefix())
		if err != nil {
			return err
		}
		for _, kv := range found.Kvs {
			if kv.GetLease() == 0 {
				continue
			}
			// Several keys have one lease, and its revocation deletes all of them.
			if _, err := client.Revoke(ctx, clientv3.LeaseID(kv.GetLease())); err != nil && !isLeaseNotFound(err) {
				return err
			}
		}
		if _, err := client.Delete(ctx, family, clientv3.WithPrefix()); err != nil {
			return err
		}
	}
	return nil
}
