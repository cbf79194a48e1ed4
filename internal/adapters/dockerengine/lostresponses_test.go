package dockerengine_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/dockerengine"
	"galaxy/rtmanager/internal/domain/container"
)

// lossyProxy forwards requests to the machine's engine and drops selected responses.
type lossyProxy struct {
	host   string
	client http.Client
	// lostSuffix is the path suffix of requests whose next response is lost; empty: none.
	lostSuffix atomic.Pointer[string]
}

func newLossyProxy(t *testing.T) *lossyProxy {
	t.Helper()
	host, local := strings.CutPrefix(machine.open(t).DaemonHost(), "unix://")
	if !local {
		t.Skip("NOT TESTED with lost responses: the Docker Engine has no socket on this machine")
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", host)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	l := &lossyProxy{client: http.Client{Transport: transport}}
	l.host = serveSocket(t, l)
	return l
}

func (l *lossyProxy) loseResponse(suffix string) { l.lostSuffix.Store(&suffix) }

func (l *lossyProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	forward := r.Clone(context.WithoutCancel(r.Context()))
	forward.URL.Scheme, forward.URL.Host, forward.RequestURI = "http", "docker", ""
	response, err := l.client.Do(forward)
	if err != nil {
		cut(w, r)
		return
	}
	defer response.Body.Close()
	if suffix := l.lostSuffix.Load(); suffix != nil && *suffix != "" && r.Method != http.MethodGet && strings.HasSuffix(r.URL.Path, *suffix) {
		l.loseResponse("")
		cut(w, r)
		return
	}
	for key, values := range response.Header {
		w.Header()[key] = values
	}
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}

// A call whose response is lost has its effect, and may be repeated.
func TestLostResponses(t *testing.T) {
	t.Parallel()
	l := newLossyProxy(t)
	f := newFixture(t, func(c *dockerengine.Config) { c.Host = l.host })
	spec := f.spec("g1")

	l.loseResponse("/containers/create")
	_, err := f.Create(t.Context(), spec)
	requireUnavailable(t, err)
	created := f.create(t, spec)
	listed, err := f.List(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []container.Container{created}, listed, "one container, not two")

	for _, call := range []struct {
		suffix string
		run    func() error
		want   container.State
	}{
		{"/start", func() error { return f.Start(t.Context(), created.ID) }, container.StateRunning},
		{"/stop", func() error { return f.Stop(t.Context(), created.ID, time.Second) }, container.StateExited},
		{"/start", func() error { return f.Start(t.Context(), created.ID) }, container.StateRunning},
		{"/kill", func() error { return f.Stop(t.Context(), created.ID, 0) }, container.StateExited},
	} {
		l.loseResponse(call.suffix)
		requireUnavailable(t, call.run())
		require.Equal(t, call.want, f.inspect(t, created.ID).State, "state after %s", call.suffix)
		require.NoError(t, call.run(), "second %s", call.suffix)
	}
	l.loseResponse(created.ID)
	requireUnavailable(t, f.Remove(t.Context(), created.ID))
	_, err = f.Inspect(t.Context(), created.ID)
	require.ErrorIs(t, err, container.ErrNoContainer)
	require.NoError(t, f.Remove(t.Context(), created.ID))
}
