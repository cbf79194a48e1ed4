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

// Only from within can etcd be made to die under a healthy daemon.
func TestDeathOfEtcdEndsTheDaemon(t *testing.T) {
	t.Parallel()
	api, err := httpserver.New(memstore.New(), httpserver.Config{})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	died := make(chan error, 1)

	err = serve(t.Context(), api, listener, died, atOnce, func() { died <- errors.New("disk on fire") })
	require.EqualError(t, err, "disk on fire")
	_, err = net.Dial("tcp", listener.Addr().String())
	require.Error(t, err, "the API must not go on without its store")
}

func TestServeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	api, err := httpserver.New(memstore.New(), httpserver.Config{})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, serve(ctx, api, listener, nil, atOnce, cancel))
}

// atOnce is a store whose cache is filled from the start.
func atOnce(context.Context) error { return nil }

// A daemon whose records are still being read serves, and does not say it is ready.
func TestServesBeforeItIsReady(t *testing.T) {
	t.Parallel()
	api, err := httpserver.New(memstore.New(), httpserver.Config{})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	asked, filled := make(chan struct{}), make(chan struct{})
	said := make(chan struct{})
	over := make(chan error, 1)
	go func() {
		over <- serve(ctx, api, listener, nil, func(context.Context) error {
			close(asked)
			<-filled
			return nil
		}, func() { close(said) })
	}()
	<-asked
	answer, err := http.Get("http://" + listener.Addr().String() + "/healthz")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
	select {
	case <-said:
		t.Fatal("it said that it is ready before its records were there")
	default:
	}
	close(filled)
	<-said
	cancel()
	require.NoError(t, <-over)
}
