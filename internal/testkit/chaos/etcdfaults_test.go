package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/regions"
)

// etcdFaults returns what can happen to etcd by requests of an operator, or of time.
func etcdFaults(client *clientv3.Client, cluster *regions.Cluster) []chaos.Fault {
	faults := []chaos.Fault{
		{Kind: "compaction", Target: "cluster", MaxDuration: 2 * time.Second, Inject: compactions(client)},
		{Kind: "defragmentation", Target: "cluster", MaxDuration: time.Second, Inject: func(ctx context.Context, rng *rand.Rand) (func(context.Context) error, string, error) {
			endpoint := cluster.Endpoints()[rng.IntN(len(cluster.Endpoints()))]
			ctx, cancel := context.WithTimeout(ctx, faultTimeout)
			defer cancel()
			_, err := client.Defragment(ctx, endpoint)
			return nil, endpoint, err
		}},
		{Kind: "leases revoked", Target: "nodes", MaxDuration: time.Second, Inject: func(ctx context.Context, rng *rand.Rand) (func(context.Context) error, string, error) {
			return nil, "", revokeLease(ctx, client, rng, "/nodes/")
		}},
		{Kind: "leases revoked", Target: "leaders", MaxDuration: time.Second, Inject: func(ctx context.Context, rng *rand.Rand) (func(context.Context) error, string, error) {
			return nil, "", revokeLease(ctx, client, rng, "/leaders/")
		}},
	}
	return faults
}

// faultTimeout bounds a request that injects a fault.
const faultTimeout = 5 * time.Second

// compactions compacts the revision of a moment ago, several times, until it is repaired. The recorder
// of changes is never that far behind.
func compactions(client *clientv3.Client) func(context.Context, *rand.Rand) (func(context.Context) error, string, error) {
	return func(ctx context.Context, _ *rand.Rand) (func(context.Context) error, string, error) {
		ctx, cancel := context.WithCancel(ctx)
		var done sync.WaitGroup
		done.Go(func() {
			revision := int64(0)
			for tick := time.NewTicker(200 * time.Millisecond); ; {
				select {
				case <-ctx.Done():
					tick.Stop()
					return
				case <-tick.C:
				}
				if revision > 0 {
					_, _ = client.Compact(ctx, revision)
				}
				if resp, err := client.Get(ctx, "key", clientv3.WithSerializable()); err == nil {
					revision = resp.Header.Revision - 50
				}
			}
		})
		return func(context.Context) error { cancel(); done.Wait(); return nil }, "", nil
	}
}

// revokeLease revokes the lease of one key of the family, as if its holder had been away for too long.
func revokeLease(ctx context.Context, client *clientv3.Client, rng *rand.Rand, family string) error {
	ctx, cancel := context.WithTimeout(ctx, faultTimeout)
	defer cancel()
	resp, err := client.Get(ctx, family, clientv3.WithPrefix())
	if err != nil || len(resp.Kvs) == 0 {
		return err
	}
	kv := resp.Kvs[rng.IntN(len(resp.Kvs))]
	if kv.Lease == 0 {
		return nil
	}
	if _, err := client.Revoke(ctx, clientv3.LeaseID(kv.Lease)); err != nil {
		return fmt.Errorf("revoke the lease of %s: %w", kv.Key, err)
	}
	return nil
}

// moveLeader makes the member of the region the leader of etcd. It fails while another fault prevents that.
func moveLeader(ctx context.Context, client *clientv3.Client, cluster *regions.Cluster, region string) error {
	ctx, cancel := context.WithTimeout(ctx, faultTimeout)
	defer cancel()
	target := cluster.Endpoints()[slices.Index(regions.Names(), region)]
	status, err := client.Status(ctx, target)
	if err != nil {
		return err
	}
	member := status.Header.GetMemberId()
	for _, endpoint := range cluster.Endpoints() {
		status, err := client.Status(ctx, endpoint)
		if err != nil || status.Leader != status.Header.GetMemberId() || status.Leader == member {
			continue
		}
		leader, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
		if err != nil {
			return err
		}
		_, err = leader.MoveLeader(ctx, member)
		return errors.Join(err, leader.Close())
	}
	return nil
}

// containerFaults returns the faults of the games of a daemon.
func containerFaults(region string, daemon *regions.Daemon) []chaos.Fault {
	return []chaos.Fault{{Kind: "game killed", Target: region, MaxDuration: time.Second, Inject: func(_ context.Context, rng *rand.Rand) (func(context.Context) error, string, error) {
		alive := daemon.Containers()
		if len(alive) == 0 {
			return nil, "no game", nil
		}
		killed := alive[rng.IntN(len(alive))]
		return nil, killed.Game, syscall.Kill(killed.PID, syscall.SIGKILL)
	}}}
}
