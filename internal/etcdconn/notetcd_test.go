package etcdconn_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/etcdconn"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// newWebServer starts a web server that has the status for every request. With HTTP/2 it
// responds to the requests of gRPC.
func newWebServer(t *testing.T, status int, hasHTTP2 bool) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(hasHTTP2)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// A web server at an endpoint does not affect a start or requests as long as another endpoint
// is etcd.
func TestEndpointThatIsNotEtcd(t *testing.T) {
	t.Parallel()
	member := etcdtest.Start(t).Endpoint()
	for name, c := range map[string]struct {
		status   int
		hasHTTP2 bool
	}{
		"not found": {http.StatusNotFound, true},
		"forbidden": {http.StatusForbidden, true},
		"HTTP/1.1":  {http.StatusNotFound, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			web := newWebServer(t, c.status, c.hasHTTP2)
			newPool := func(endpoints ...string) *etcdconn.Pool {
				pool, err := etcdconn.New(t.Context(), etcdconn.Options{Endpoints: endpoints, ProbeKey: "/", ProbeInterval: 100 * time.Millisecond})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, pool.Close()) })
				return pool
			}
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()

			pool := newPool(web, member)
			require.NoError(t, pool.WaitHealthy(ctx))
			for range 3 {
				_, err := pool.Client().Put(ctx, "/"+name, "value")
				require.NoError(t, err)
			}
			watch := pool.Client().Watch(ctx, "/"+name, clientv3.WithRev(1))
			changes := <-watch
			require.NoError(t, changes.Err())
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				require.Equal(c, etcdconn.StateNotEtcd, pool.Snapshot()[0].State)
			}, timeout, 10*time.Millisecond)
			require.Contains(t, pool.Snapshot()[0].Reason, "it does not speak etcd's API")
			require.NoError(t, pool.Health())

			notEtcd := newPool(web)
			short, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := notEtcd.WaitHealthy(short)
			require.ErrorIs(t, err, context.DeadlineExceeded, "a start waits for a healthy endpoint")
			require.ErrorContains(t, err, web+" is not etcd: ")
			require.ErrorContains(t, err, "it does not speak etcd's API")
			_, err = notEtcd.Client().Get(ctx, "/"+name)
			require.ErrorIs(t, err, etcd.ErrNotSent)
			require.Equal(t, etcd.Retryable, etcd.Classify(err))
		})
	}
}
