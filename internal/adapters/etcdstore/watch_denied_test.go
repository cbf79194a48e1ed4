package etcdstore_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// TestDeniedWatchEnds revokes the store's permissions while a watch is open, which etcd
// continues until it breaks. Then it cannot be reopened, and its consumer must get the
// error instead of waiting forever.
func TestDeniedWatchEnds(t *testing.T) { withAndWithoutCache(t, testDeniedWatchEnds) }

func testDeniedWatchEnds(t *testing.T) {
	const prefix = "/app"
	server := etcdtest.Start(t)
	admin := enableAuth(t, server, prefix+"/")
	client := dialAs(t, server, "app")
	cut := make(chan struct{})
	wrapWatcher(client, func(ctx context.Context, n int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
		in := open()
		select {
		case <-cut:
		case <-ctx.Done():
		}
		if n > 1 {
			forwardAll(ctx, in, out)
		}
	})
	r := newFixture(t, client, etcdstore.Options{Prefix: prefix, ProbeInterval: probeInterval})
	r.put(runningRecord("game"))
	s := r.watch(ports.WatchOptions{Resync: true})
	s.synced()

	_, err := admin.RoleRevokePermission(t.Context(), "app", prefix+"/", clientv3.GetPrefixRangeEnd(prefix+"/"))
	require.NoError(t, err)
	close(cut)
	s.ends(rpctypes.ErrPermissionDenied)
}

// enableAuth enables authentication with a user "root", whose client it returns, and a
// user "app" with permissions below the prefix alone. Passwords are the names.
func enableAuth(t *testing.T, server *etcdtest.Server, prefix string) *clientv3.Client {
	t.Helper()
	ctx, client := t.Context(), server.Client()
	must := func(_ any, err error) { t.Helper(); require.NoError(t, err) }
	for _, user := range []string{"root", "app"} {
		must(client.RoleAdd(ctx, user))
		must(client.UserAdd(ctx, user, user))
		must(client.UserGrantRole(ctx, user, user))
	}
	must(client.RoleGrantPermission(ctx, "app", prefix, clientv3.GetPrefixRangeEnd(prefix), clientv3.PermissionType(clientv3.PermReadWrite)))
	must(client.AuthEnable(ctx))
	return dialAs(t, server, "root")
}

func dialAs(t *testing.T, server *etcdtest.Server, user string) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{server.Endpoint()}, Username: user, Password: user, Logger: zap.NewNop(), MaxUnaryRetries: 1,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}
