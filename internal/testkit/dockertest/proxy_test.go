package dockertest_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/dockertest"
)

func TestProxy(t *testing.T) {
	api := dockertest.Client(t)
	p, err := dockertest.NewProxy(api, t.TempDir())
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	through, err := client.New(client.WithHost(p.Host))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, through.Close()) })
	ping := func() error {
		_, err := through.Ping(t.Context(), client.PingOptions{})
		return err
	}
	require.NoError(t, ping())

	events := through.Events(t.Context(), client.EventsListOptions{})
	p.SetAway()
	require.Error(t, <-events.Err, "a stream ends")
	require.Error(t, ping())
	p.Repair()
	require.NoError(t, ping())

	p.Hang()
	done := make(chan error, 1)
	go func() { done <- ping() }()
	select {
	case err := <-done:
		require.Fail(t, "a response although requests hang", "%v", err)
	case <-time.After(200 * time.Millisecond):
	}
	p.Repair()
	require.NoError(t, <-done)

	name := "rtmanager-test-" + strings.ToLower(rand.Text())
	t.Cleanup(func() {
		_, _ = api.VolumeRemove(context.WithoutCancel(t.Context()), name, client.VolumeRemoveOptions{})
	})
	p.LoseResponses(1)
	_, err = through.VolumeCreate(t.Context(), client.VolumeCreateOptions{Name: name})
	require.Error(t, err)
	require.NoError(t, ping(), "requests that read have a response")
	_, err = api.VolumeInspect(t.Context(), name, client.VolumeInspectOptions{})
	require.NoError(t, err, "the engine has executed the request")
}
