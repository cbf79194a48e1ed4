package daemon_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/server/v3/embed"

	"galaxy/rtmanager/internal/daemon"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// A daemon whose etcd was replaced by another cluster ends with an error, so that its service
// manager restarts it. It neither leads its region nor serves until then.
func TestDaemonEndsWhenItsEtcdIsReplaced(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	cfg := externalSettings(t, server.Endpoint())
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	ready, result := make(chan daemon.Ready, 1), make(chan error, 1)
	go func() {
		result <- daemon.Run(ctx, cfg, "test", slog.New(slog.DiscardHandler), func(r daemon.Ready) { ready <- r })
	}()
	d := <-ready
	require.Equal(t, http.StatusOK, statusOf(t, d.API+"/readyz"))

	server.Stop()
	address, err := url.Parse(server.Endpoint())
	require.NoError(t, err)
	etcdtest.Start(t, func(embedded *embed.Config) {
		embedded.InitialClusterToken, embedded.ListenClientUrls = "another", []url.URL{*address}
	})
	err = <-result
	require.ErrorIs(t, err, runtime.ErrIncompatible)
	require.ErrorContains(t, err, "restart rtmanager")
}
