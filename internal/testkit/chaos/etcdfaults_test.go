package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/operator"
	"galaxy/rtmanager/internal/testkit/regions"
	"galaxy/rtmanager/internal/wait"
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

// errNoCompaction means that etcd has compacted nothing.
var errNoCompaction = fmt.Errorf("%w: etcd has compacted nothing", chaos.ErrNoEffect)

// compactions compacts the revision of a moment ago, several times, until it is repaired. The recorder
// of changes is never that far behind.
func compactions(client *clientv3.Client) func(context.Context, *rand.Rand) (func(context.Context) error, string, error) {
	return func(ctx context.Context, _ *rand.Rand) (func(context.Context) error, string, error) {
		ctx, cancel := context.WithCancel(ctx)
		var done sync.WaitGroup
		count := 0
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
					if _, err := client.Compact(ctx, revision); err == nil {
						count++
					}
				}
				if resp, err := client.Get(ctx, "key", clientv3.WithSerializable()); err == nil {
					revision = resp.Header.Revision - 50
				}
			}
		})
		return func(context.Context) error {
			cancel()
			done.Wait()
			if count == 0 {
				return errNoCompaction
			}
			return nil
		}, "", nil
	}
}

// errNoLease means that no lease can be revoked.
var errNoLease = errors.New("no key has a lease")

// revokeLease revokes the lease of one key of the family, as if its holder had been away for too long.
func revokeLease(ctx context.Context, client *clientv3.Client, rng *rand.Rand, family string) error {
	ctx, cancel := context.WithTimeout(ctx, faultTimeout)
	defer cancel()
	resp, err := client.Get(ctx, family, clientv3.WithPrefix())
	if err != nil {
		return err
	}
	if len(resp.Kvs) == 0 {
		return errNoLease
	}
	kv := resp.Kvs[rng.IntN(len(resp.Kvs))]
	if kv.Lease == 0 {
		return errNoLease
	}
	if _, err := client.Revoke(ctx, clientv3.LeaseID(kv.Lease)); err != nil {
		return fmt.Errorf("revoke the lease of %s: %w", kv.Key, err)
	}
	return nil
}

// junkKey is outside of the keys of the store.
const junkKey = "/chaos/junk"

// quotaFault writes until etcd is read-only because its space is used up, and repairs that as an operator
// does.
func (c testCluster) quotaFault(client *clientv3.Client) chaos.Fault {
	return chaos.Fault{Kind: "quota reached", Target: "cluster", MaxDuration: 4 * time.Second, Inject: func(ctx context.Context, _ *rand.Rand) (func(context.Context) error, string, error) {
		ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
		defer cancel()
		var err error
		for junk := strings.Repeat("x", 1<<20); err == nil; {
			_, err = client.Put(ctx, junkKey, junk)
		}
		if errors.Is(err, rpctypes.ErrNoSpace) {
			err = nil
		}
		return func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
			defer cancel()
			for {
				_, err := client.Delete(ctx, junkKey)
				if err == nil {
					return c.repairSpace(ctx)
				}
				if wait.For(ctx, 200*time.Millisecond) != nil { // etcd may be electing a leader
					return err
				}
			}
		}, "", err
	}}
}

// errNoGame means that no game can be killed.
var errNoGame = errors.New("no game runs")

// containerFaults returns the faults of the games of a daemon.
func containerFaults(region string, daemon *regions.Daemon) []chaos.Fault {
	ofAny := func(do func(regions.Container) error) func(context.Context, *rand.Rand) (string, error) {
		return func(_ context.Context, rng *rand.Rand) (string, error) {
			alive := daemon.Containers()
			if len(alive) == 0 {
				return "", errNoGame
			}
			chosen := alive[rng.IntN(len(alive))]
			return chosen.Game, do(chosen)
		}
	}
	return []chaos.Fault{
		operatorFault("game killed", region, ofAny(operator.KillGame)),
		operatorFault("container removed by hand", region, ofAny(func(c regions.Container) error { return operator.RemoveContainer(daemon, c, true) })),
	}
}
