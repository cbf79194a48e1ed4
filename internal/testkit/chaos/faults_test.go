package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/network"
	"galaxy/rtmanager/internal/testkit/operator"
	"galaxy/rtmanager/internal/testkit/regions"
)

// selectFaults returns the faults of the kinds in RTMANAGER_CHAOS_FAULTS, all if it is not set.
func selectFaults(t *testing.T, faults []chaos.Fault) []chaos.Fault {
	t.Helper()
	text := os.Getenv("RTMANAGER_CHAOS_FAULTS")
	if text == "" {
		return faults
	}
	kinds, offered := strings.Split(text, ","), map[string]bool{}
	for _, fault := range faults {
		offered[fault.Kind] = true
	}
	for _, kind := range kinds {
		require.True(t, offered[kind], "RTMANAGER_CHAOS_FAULTS: %q is not a kind of fault of this cluster; it has %q", kind, slices.Sorted(maps.Keys(offered)))
	}
	return slices.DeleteFunc(faults, func(fault chaos.Fault) bool { return !slices.Contains(kinds, fault.Kind) })
}

// faults returns the faults of the cluster. They are injected and repaired by the goroutine of the test.
func (c testCluster) faults(client *clientv3.Client) []chaos.Fault {
	faults := slices.Concat(etcdFaults(client, c.Cluster), networkFaults(c.Network))
	faults = append(faults, c.restartFault("daemons restarted one by one", "cluster", func(ctx context.Context, _ *rand.Rand) (string, error) {
		return "", operator.RestartDaemons(ctx, "", slices.Collect(maps.Values(c.daemons))...)
	}))
	if other := os.Getenv("RTMANAGER_CHAOS_UPGRADE"); other != "" {
		binary := ""
		faults = append(faults, c.restartFault("daemons upgraded one by one", "cluster", func(ctx context.Context, _ *rand.Rand) (string, error) {
			if binary == "" {
				binary = other
			} else {
				binary = ""
			}
			return binary, operator.RestartDaemons(ctx, binary, slices.Collect(maps.Values(c.daemons))...)
		}))
	}
	if c.layout != embedded {
		faults = append(faults, c.quotaFault(client), c.restartFault("members restarted one by one", "cluster", func(ctx context.Context, _ *rand.Rand) (string, error) {
			return "", operator.RestartMembers(ctx, c.Cluster)
		}))
	}
	faults = append(faults, c.diskFaults()...)
	faults = append(faults, c.hostFaults()...)
	if c.passwords != nil {
		faults = append(faults, c.passwords.fault(client))
	}
	for _, region := range regions.Names() {
		faults = append(faults, c.regionFaults(region)...)
	}
	return faults
}

// regionFaults returns the faults of the processes of a region.
func (c testCluster) regionFaults(region string) []chaos.Fault {
	daemon := c.daemons[region]
	faults := []chaos.Fault{
		simpleFault("member frozen", region, c.memberProcess(region), 5*time.Second, signals(c.SignalMember, region, syscall.SIGSTOP), signals(c.SignalMember, region, syscall.SIGCONT)),
		simpleFault("daemon killed", region, c.daemonProcess(region), 4*time.Second, func() error { daemon.Kill(); return nil }, daemon.Launch),
		operatorFault("leader moved", region, func(ctx context.Context, _ *rand.Rand) (string, error) { return "", c.TransferLeader(ctx, region) }),
		operatorFault("session revoked", region, func(ctx context.Context, _ *rand.Rand) (string, error) {
			return "", operator.RevokeSession(ctx, c.Cluster, daemon)
		}),
	}
	if c.layout != embedded { // otherwise the member is in the daemon
		faults = append(faults,
			simpleFault("member killed", region, c.memberProcess(region), 4*time.Second, func() error { c.KillMember(region); return nil }, func() error { return c.LaunchMember(region) }),
			simpleFault("daemon frozen", region, c.daemonProcess(region), 5*time.Second, func() error { return daemon.Signal(syscall.SIGSTOP) }, func() error { return daemon.Signal(syscall.SIGCONT) }),
			c.restartFault("member replaced", region, func(ctx context.Context, _ *rand.Rand) (string, error) {
				return "", errors.Join(c.ReplaceMember(ctx, region), operator.AwaitMember(ctx, c.Cluster, region))
			}),
		)
	}
	if c.skewedBinary != "" {
		faults = append(faults, clockFault(region, daemon, c.skewedBinary))
	}
	if c.docker != nil {
		return append(faults, c.docker.faults(region)...)
	}
	return append(faults, containerFaults(region, daemon)...)
}

// clockFault restarts a daemon with a clock that is wrong by minutes, and afterwards with the right one.
func clockFault(region string, daemon *regions.Daemon, skewedBinary string) chaos.Fault {
	restart := func(binary string, environment ...string) error {
		daemon.Kill()
		daemon.SetBinary(binary)
		daemon.SetEnvironment(environment...)
		return daemon.Launch()
	}
	return chaos.Fault{Kind: "clock wrong", Target: region, MaxDuration: 8 * time.Second, IsAlone: true, Inject: func(_ context.Context, rng *rand.Rand) (func(context.Context) error, string, error) {
		offset := time.Duration(rng.IntN(21)-10) * time.Minute
		err := restart(skewedBinary, operator.SkewedClock(offset))
		return func(context.Context) error { return restart("") }, offset.String(), err
	}}
}

// restore returns the function that saves a backup and restores it; see chaos.Environment.
func (c testCluster) restore(dir string, stores []*store) func(context.Context) (func(context.Context, func()) error, error) {
	number := 0
	return func(ctx context.Context) (func(context.Context, func()) error, error) {
		number++
		file := filepath.Join(dir, fmt.Sprintf("backup-%d", number))
		ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
		defer cancel()
		err := operator.Backup(ctx, c.Cluster, file)
		return func(ctx context.Context, stopped func()) error {
			ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
			defer cancel()
			for _, region := range regions.Names() {
				c.daemons[region].Kill()
			}
			stopped()
			err := operator.Restore(ctx, c.Cluster, file, filepath.Join(dir, fmt.Sprintf("restored-%d", number)))
			for _, region := range regions.Names() {
				err = errors.Join(err, c.daemons[region].Launch())
			}
			for _, s := range stores {
				err = errors.Join(err, s.restart(ctx))
			}
			return err
		}, err
	}
}

// startEnded starts the processes that have ended, because a restart of several has failed half-way.
func (c testCluster) startEnded() error {
	var err error
	for _, region := range regions.Names() {
		if c.layout != embedded && c.SignalMember(region, syscall.Signal(0)) != nil {
			err = errors.Join(err, c.LaunchMember(region))
		}
		if c.daemons[region].Signal(syscall.Signal(0)) != nil {
			err = errors.Join(err, c.daemons[region].Launch())
		}
	}
	return err
}

// restartFault returns a fault that restarts several processes.
func (c testCluster) restartFault(kind, target string, do func(ctx context.Context, rng *rand.Rand) (detail string, err error)) chaos.Fault {
	fault := operatorFault(kind, target, do)
	inject := fault.Inject
	fault.Inject = func(ctx context.Context, rng *rand.Rand) (func(context.Context) error, string, error) {
		_, detail, err := inject(ctx, rng)
		return func(context.Context) error { return c.startEnded() }, detail, err
	}
	return fault
}

// operatorTimeout bounds what an operator does to a cluster, such as a restart of all its members.
const operatorTimeout = time.Minute

// operatorFault returns a fault that is over when do returns. It happens alone.
func operatorFault(kind, target string, do func(ctx context.Context, rng *rand.Rand) (detail string, err error)) chaos.Fault {
	return chaos.Fault{Kind: kind, Target: target, MaxDuration: time.Second, IsAlone: true, Inject: func(ctx context.Context, rng *rand.Rand) (func(context.Context) error, string, error) {
		ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
		defer cancel()
		detail, err := do(ctx, rng)
		return nil, detail, err
	}}
}

// memberProcess and daemonProcess are the names of processes, which are the same one if the member is in the
// daemon.
func (c testCluster) memberProcess(region string) string {
	if c.layout == embedded {
		return c.daemonProcess(region)
	}
	return "member " + region
}

func (c testCluster) daemonProcess(region string) string { return "daemon " + region }

func simpleFault(kind, target, process string, longest time.Duration, begin, end func() error) chaos.Fault {
	return chaos.Fault{Kind: kind, Target: target, Process: process, MaxDuration: longest, Inject: func(context.Context, *rand.Rand) (func(context.Context) error, string, error) {
		err := begin()
		return func(context.Context) error { return end() }, "", err
	}}
}

// signals returns a function that sends a signal to a process of the region.
func signals(send func(region string, signal syscall.Signal) error, region string, signal syscall.Signal) func() error {
	return func() error { return send(region, signal) }
}

// networkFaults returns the faults of the network. Each chooses its regions and its traffic. The repair of
// one ends all of them.
func networkFaults(n *network.Network) []chaos.Fault {
	return append(lineFaults(n), resetFault(n))
}

// lineFaults returns the faults that last.
func lineFaults(n *network.Network) []chaos.Fault {
	fault := func(kind string, longest time.Duration, begin func(rng *rand.Rand, a, b string, traffic network.Traffic)) chaos.Fault {
		return chaos.Fault{Kind: kind, Target: "network", MaxDuration: longest, Inject: func(_ context.Context, rng *rand.Rand) (func(context.Context) error, string, error) {
			a, b, traffic := chooseLine(rng)
			begin(rng, a, b, traffic)
			return func(context.Context) error { n.Repair(); return nil }, fmt.Sprintf("%s, %s, %s", a, b, traffic), nil
		}}
	}
	return []chaos.Fault{
		fault("region cut off", 4*time.Second, func(_ *rand.Rand, a, _ string, _ network.Traffic) { n.Isolate(a) }),
		fault("one traffic of a region cut off", 4*time.Second, func(_ *rand.Rand, a, _ string, traffic network.Traffic) { n.Isolate(a, traffic) }),
		fault("all that a region sends is lost", 4*time.Second, func(_ *rand.Rand, a, _ string, _ network.Traffic) { n.BlockFrom(a) }),
		fault("link cut", 4*time.Second, func(_ *rand.Rand, a, b string, _ network.Traffic) { n.Cut(a, b) }),
		fault("link cut in one direction", 4*time.Second, func(_ *rand.Rand, a, b string, _ network.Traffic) { n.Block(a, b) }),
		fault("responses late", 3*time.Second, func(_ *rand.Rand, a, b string, traffic network.Traffic) { n.HoldResponses(a, b, traffic) }),
		fault("connections reset after the request", 3*time.Second, func(rng *rand.Rand, a, b string, traffic network.Traffic) {
			if traffic == network.Peers { // has no responses
				traffic = network.Clients
			}
			n.LoseResponses(a, b, 0.05+rng.Float64()/4, traffic)
		}),
		fault("loss and jitter", 4*time.Second, func(rng *rand.Rand, a, b string, _ network.Traffic) {
			quality := network.Quality{Loss: rng.Float64() / 5, Jitter: time.Duration(rng.IntN(50)) * time.Millisecond}
			n.SetQuality(a, b, quality)
			n.SetQuality(b, a, quality)
		}),
		fault("slow line", 4*time.Second, func(rng *rand.Rand, a, b string, traffic network.Traffic) {
			quality := network.Quality{Bandwidth: 2_000 << rng.IntN(6)}
			n.SetQuality(a, b, quality, traffic)
			n.SetQuality(b, a, quality, traffic)
		}),
	}
}
