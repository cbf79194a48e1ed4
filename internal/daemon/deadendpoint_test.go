package daemon_test

import (
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// A daemon that starts while one endpoint of etcd does not respond serves every request.
func TestDaemonStartsWhileAnEndpointDoesNotRespond(t *testing.T) {
	t.Parallel()
	idle, err := net.Listen("tcp", "127.0.0.1:0") // its connections are never accepted
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, idle.Close()) })
	d := start(t, externalSettings(t, etcdtest.Start(t).Endpoint(), "http://"+idle.Addr().String()))

	require.NoError(t, d.client.Upsert(t.Context(), record("game")))
	for _, local := range []bool{false, true} {
		page, err := d.client.ListPage(t.Context(), ports.PageQuery{Limit: 1, Local: local})
		require.NoError(t, err, "local: %t", local)
		require.Len(t, page.Records, 1)
	}
	require.Equal(t, http.StatusOK, statusOf(t, d.API+"/readyz"))
	info, err := d.client.Info(t.Context())
	require.NoError(t, err, "a member that does not respond does not fail the others")
	require.Equal(t, d.Store, info.ID)
}
