package daemon

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/memstore"
	"galaxy/rtmanager/internal/adapters/restapi"
)

// Only from within can etcd be made to die under a healthy daemon.
func TestDeathOfEtcdEndsTheDaemon(t *testing.T) {
	t.Parallel()
	api, err := restapi.New(memstore.New(), restapi.Config{})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	died := make(chan error, 1)

	err = serve(t.Context(), api, listener, died, func() { died <- errors.New("disk on fire") })
	require.EqualError(t, err, "disk on fire")
	_, err = net.Dial("tcp", listener.Addr().String())
	require.Error(t, err, "the API must not go on without its store")
}

func TestServeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	api, err := restapi.New(memstore.New(), restapi.Config{})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, serve(ctx, api, listener, nil, cancel))
}
