package etcdmembers_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

func TestIsAlive(t *testing.T) {
	t.Parallel()
	skipExpiry(t)
	for name, ttl := range map[string]time.Duration{"the TTL shows each renewal": 8 * time.Second, "the TTL is too short to show each renewal": shortTTL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			reader := f.registry(nil, longTTL)
			requireAlive := func(n node.Node, expected bool) {
				t.Helper()
				isAlive, err := reader.IsAlive(t.Context(), n)
				require.NoError(t, err)
				require.Equal(t, expected, isAlive)
			}
			f.join(f.registry(nil, ttl), newNode("runs"))
			stopped := f.join(f.registry(nil, ttl), newNode("stopped"))
			f.joinKilled("killed", ttl)
			present := f.nodes()
			require.Equal(t, []string{"eu/killed", "eu/runs", "eu/stopped"}, namesOf(present))

			requireAlive(present[0], false)
			requireAlive(present[1], true)
			require.NoError(t, stopped.Close())
			requireAlive(present[2], false)
			f.join(f.registry(nil, longTTL), newNode("stopped"))
			requireAlive(present[2], true) // it has a new session

			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := reader.IsAlive(ctx, present[1])
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}

// joinKilled makes the node eu/<name> present, as a daemon does that is killed at once:
// nothing renews its lease.
func (f fixture) joinKilled(name string, ttl time.Duration) {
	f.t.Helper()
	m := f.join(f.registry(nil, longTTL), newNode(name))
	value, _, _ := f.readRaw("/nodes/eu/" + name)
	require.NoError(f.t, m.Close())
	lease, err := f.etcd.Grant(f.t.Context(), int64(ttl.Seconds()))
	require.NoError(f.t, err)
	f.putRaw("/nodes/eu/"+name, value, clientv3.WithLease(lease.ID))
}

// TestIsAliveAfterARestartOfEtcd reads the lease of a killed daemon right after etcd has elected
// a leader, which extends the lease by the election timeout.
func TestIsAliveAfterARestartOfEtcd(t *testing.T) {
	t.Parallel()
	skipRestart(t)
	server := etcdtest.Start(t, func(cfg *embed.Config) { cfg.TickMs, cfg.ElectionMs = 100, 2000 })
	f := fixture{t: t, etcd: server.Client(), prefix: etcdtest.Prefix(t)}
	f.joinKilled("killed", 3*time.Second)
	server.Restart()
	isAlive, err := f.registry(nil, longTTL).IsAlive(t.Context(), f.nodes()[0])
	require.NoError(t, err)
	require.False(t, isAlive)
}
