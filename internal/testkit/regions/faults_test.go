package regions_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/regions"
)

const (
	// recoveryTimeout bounds the recovery after a fault. It is no promise: it keeps a test
	// from waiting for a daemon that never recovers.
	recoveryTimeout = 3 * time.Minute
	// stableTime is the time without a fault between two faults of a long run.
	stableTime = 10 * time.Second
)

// faultFixture is a cluster under faults, with clients in every region.
type faultFixture struct {
	t        *testing.T
	cluster  *regions.Cluster
	daemons  map[string]*regions.Daemon
	clients  []*faultClient
	acked    *ackedWrites
	stats    *faultStats
	position int64 // the revision from which the watches start
}

// The promises of the store hold under faults of etcd, the network and the daemons: no
// acknowledged write is lost, no linearizable read is stale, no watch has a gap or a
// duplicate, and every game is as its record states. Times are measured and not bounded.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the delays between regions")
	}
	t.Parallel()
	f := startFaultFixture(t)
	stop, watchers := f.startClients()
	defer stop()
	f.stats.repair() // nothing has failed yet
	f.recover()
	deadline := time.Now().Add(*faultDuration)
	faults, stable := f.allFaults(), stableTime
	if *faultDuration == 0 {
		faults, stable = f.shortFaults(), time.Second
	}
	for round := 0; round == 0 || time.Now().Before(deadline); round++ {
		for _, fault := range faults {
			if round > 0 && time.Now().After(deadline) {
				break
			}
			f.inject(fault)
			f.waitFor(stable)
		}
	}
	f.requireCompleteWatches(watchers)
	stop()
	f.requireReadyNodes()
	f.requireConsistentStore()
	f.requireGamesAsRecorded()
	t.Logf("\n%s\n%d writes were acknowledged", f.stats.table(), f.acked.count())
}

// startClients starts all clients in every region. stop ends them and waits for them.
func (f *faultFixture) startClients() (stop func(), watchers []*watcher) {
	ctx, cancel := context.WithCancel(f.t.Context())
	var clients sync.WaitGroup
	for _, client := range f.clients {
		w := &watcher{faultClient: client, position: f.position, seen: map[string][]int64{}}
		watchers = append(watchers, w)
		for _, run := range []func(context.Context){client.write, client.read, client.readLocally, client.operate, w.run} {
			clients.Go(func() { run(ctx) })
		}
	}
	return func() { cancel(); clients.Wait() }, watchers
}

// inject injects one fault, and waits until every client has recovered from it.
func (f *faultFixture) inject(injected fault) {
	f.stats.start()
	f.t.Logf("%s for %s", injected.name, injected.duration)
	injected.begin()
	f.waitFor(injected.duration)
	injected.repair()
	f.stats.repair()
	f.recover()
	f.t.Logf("\n%s", f.stats.finish(injected.name))
	f.cluster.MoveLeader(regions.EU)
}

func (f *faultFixture) waitFor(d time.Duration) {
	select {
	case <-f.t.Context().Done():
	case <-time.After(d):
	}
}

// recover waits until each kind of request has succeeded from every region.
func (f *faultFixture) recover() {
	f.t.Helper()
	require.Eventually(f.t, func() bool { return len(f.stats.outstanding()) == 0 }, recoveryTimeout, pause/2,
		"some requests have not succeeded since the end of the fault")
}
