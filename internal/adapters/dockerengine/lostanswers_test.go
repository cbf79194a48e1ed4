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

// lossy stands before the machine's engine: what it is asked is done, and some
// answers never arrive.
type lossy struct {
	host   string
	client http.Client
	// loses is the end of the paths whose next answer is lost; empty for none.
	loses atomic.Pointer[string]
}

func newLossy(t *testing.T) *lossy {
	t.Helper()
	host, local := strings.CutPrefix(machine.open(t).DaemonHost(), "unix://")
	if !local {
		t.Skip("NOT TESTED with lost answers: the Docker Engine is not at a socket of this machine")
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", host)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	l := &lossy{client: http.Client{Transport: transport}}
	l.host = serveSocket(t, l)
	return l
}

func (l *lossy) lose(suffix string) { l.loses.Store(&suffix) }

func (l *lossy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	forward := r.Clone(context.WithoutCancel(r.Context()))
	forward.URL.Scheme, forward.URL.Host, forward.RequestURI = "http", "docker", ""
	response, err := l.client.Do(forward)
	if err != nil {
		cuts(w, r)
		return
	}
	defer response.Body.Close()
	if loses := l.loses.Load(); loses != nil && *loses != "" && r.Method != http.MethodGet && strings.HasSuffix(r.URL.Path, *loses) {
		l.lose("")
		cuts(w, r)
		return
	}
	for key, values := range response.Header {
		w.Header()[key] = values
	}
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}

// Every act whose answer is lost was done, and may be repeated.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	l := newLossy(t)
	r := newRig(t, func(c *dockerengine.Config) { c.Host = l.host })
	spec := r.spec("g1")

	l.lose("/containers/create")
	_, err := r.Create(t.Context(), spec)
	requireUnavailable(t, err)
	made := r.create(t, spec)
	listed, err := r.List(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []container.Container{made}, listed, "one container, not two")

	for _, act := range []struct {
		suffix string
		do     func() error
		want   container.State
	}{
		{"/start", func() error { return r.Start(t.Context(), made.ID) }, container.StateRunning},
		{"/stop", func() error { return r.Stop(t.Context(), made.ID, time.Second) }, container.StateExited},
		{"/start", func() error { return r.Start(t.Context(), made.ID) }, container.StateRunning},
		{"/kill", func() error { return r.Stop(t.Context(), made.ID, 0) }, container.StateExited},
	} {
		l.lose(act.suffix)
		requireUnavailable(t, act.do())
		require.Equal(t, act.want, r.inspect(t, made.ID).State, "%s was done", act.suffix)
		require.NoError(t, act.do(), "%s again", act.suffix)
	}
	l.lose(made.ID)
	requireUnavailable(t, r.Remove(t.Context(), made.ID))
	_, err = r.Inspect(t.Context(), made.ID)
	require.ErrorIs(t, err, container.ErrNoContainer)
	require.NoError(t, r.Remove(t.Context(), made.ID))
}
