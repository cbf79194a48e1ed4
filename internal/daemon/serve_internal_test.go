package daemon

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// Only an internal test can make etcd fail under a healthy daemon.
func TestFailureOfEtcdEndsTheDaemon(t *testing.T) {
	t.Parallel()
	api, err := httpserver.New(memstore.New(), httpserver.Config{})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	failed := make(chan error, 1)

	err = serve(t.Context(), api, listener, failed, alreadySynced, func() { failed <- errors.New("disk on fire") })
	require.EqualError(t, err, "disk on fire")
	_, err = net.Dial("tcp", listener.Addr().String())
	require.Error(t, err, "the API stops with its store")
}

func TestServeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	api, err := httpserver.New(memstore.New(), httpserver.Config{})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, serve(ctx, api, listener, nil, alreadySynced, cancel))
}

// alreadySynced is a store whose cache is synced from the start.
func alreadySynced(context.Context) error { return nil }

// A daemon whose cache is not synced serves requests, and is not ready.
func TestServesBeforeItIsReady(t *testing.T) {
	t.Parallel()
	api, err := httpserver.New(memstore.New(), httpserver.Config{})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	waiting, synced := make(chan struct{}), make(chan struct{})
	ready := make(chan struct{})
	errc := make(chan error, 1)
	go func() {
		errc <- serve(ctx, api, listener, nil, func(context.Context) error {
			close(waiting)
			<-synced
			return nil
		}, func() { close(ready) })
	}()
	<-waiting
	response, err := http.Get("http://" + listener.Addr().String() + "/healthz")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	select {
	case <-ready:
		t.Fatal("the daemon is ready before its cache is synced")
	default:
	}
	close(synced)
	<-ready
	cancel()
	require.NoError(t, <-errc)
}
