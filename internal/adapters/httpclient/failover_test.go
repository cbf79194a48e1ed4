package httpclient_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/storetest"
)

// daemon is an API that counts its requests and can be closed.
type daemon struct {
	*httptest.Server

	requests atomic.Int64
	// intercept handles a request in place of the API if it returns true.
	intercept atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

func serveDaemon(t *testing.T, store *memstore.Store) *daemon {
	t.Helper()
	api, err := httpserver.New(store, httpserver.Config{})
	require.NoError(t, err)
	d := &daemon{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.requests.Add(1)
		if intercept := d.intercept.Load(); intercept != nil && (*intercept)(w, r) {
			return
		}
		api.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(d.stop)
	return d
}

func (d *daemon) stop() {
	d.CloseClientConnections()
	d.Close()
}

func newFailover(t *testing.T, servers ...string) *httpclient.Client {
	t.Helper()
	list := make([]httpclient.Server, len(servers))
	for i, server := range servers {
		list[i].URL = server
	}
	client, err := httpclient.NewFailover(list, fastRetries())
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// closedServer returns the address of a server that does not exist any more.
func closedServer(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return "http://" + listener.Addr().String()
}

// Requests are sent to the next server when one cannot be reached, and stay with the one that
// responded.
func TestFailoverStaysWithTheServerThatResponds(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	first, second := serveDaemon(t, store), serveDaemon(t, store)
	client := newFailover(t, closedServer(t), first.URL, second.URL)
	require.NoError(t, client.Upsert(t.Context(), running("a")), "a write that cannot have arrived is sent to the next server")
	_, err := client.Get(t.Context(), "a")
	require.NoError(t, err)
	require.EqualValues(t, 2, first.requests.Load())
	require.Zero(t, second.requests.Load())

	first.stop()
	_, err = client.Get(t.Context(), "a")
	require.NoError(t, err)
	require.NoError(t, client.Upsert(t.Context(), running("b")))
	require.EqualValues(t, 2, second.requests.Load())
}

// A read whose connection breaks is sent to the next server at once; a write is retried there
// under the same idempotency key, and is applied once.
func TestFailoverAfterABrokenConnection(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	first, second := serveDaemon(t, store), serveDaemon(t, store)
	dropResponse := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet { // it is applied, and its response is lost
			recorded := httptest.NewRecorder()
			api, _ := httpserver.New(store, httpserver.Config{})
			api.Handler().ServeHTTP(recorded, r)
		}
		panic(http.ErrAbortHandler)
	}
	first.intercept.Store(&dropResponse)
	require.NoError(t, newFailover(t, first.URL, second.URL).Upsert(t.Context(), running("a")))
	require.EqualValues(t, 1, first.requests.Load())
	require.EqualValues(t, 1, second.requests.Load())
	history, err := store.History(t.Context(), "a")
	require.NoError(t, err)
	require.Len(t, history, 1)

	_, err = newFailover(t, first.URL, second.URL).Get(t.Context(), "a")
	require.NoError(t, err)
	require.EqualValues(t, 2, second.requests.Load())
}

// A watch continues at the next server without a gap.
// A server that accepts connections and never responds does not keep the client from the others.
func TestFailoverFromAServerThatHangs(t *testing.T) {
	t.Parallel()
	hanging, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = hanging.Close() })
	store := memstore.New()
	cfg := fastRetries()
	cfg.RequestTimeout, cfg.WriteTimeout = 4*time.Second, time.Minute
	for _, isWrite := range []bool{false, true} {
		client, err := httpclient.NewFailover([]httpclient.Server{{URL: "http://" + hanging.Addr().String()}, {URL: serveDaemon(t, store).URL}}, cfg)
		require.NoError(t, err)
		t.Cleanup(func() { _ = client.Close() })
		if isWrite {
			_, err = client.Put(t.Context(), ports.PutInput{Record: storetest.RunningRecord("a")})
		} else {
			_, err = client.GetVersioned(t.Context(), "a")
			require.ErrorIs(t, err, runtime.ErrNotFound)
			err = nil
		}
		require.NoError(t, err)
	}
}

func TestWatchFailsOver(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	first, second := serveDaemon(t, store), serveDaemon(t, store)
	client := newFailover(t, first.URL, second.URL)
	var games []string
	for event, err := range client.Watch(t.Context(), ports.WatchOptions{}) {
		require.NoError(t, err)
		switch {
		case event.Type == ports.EventSynced:
			require.NoError(t, store.Upsert(t.Context(), running("a")))
		case event.GameID == "a":
			games = append(games, "a")
			first.stop()
			require.NoError(t, store.Upsert(t.Context(), running("b")))
		case event.GameID == "b":
			games = append(games, "b")
		}
		if len(games) == 2 {
			break
		}
	}
	require.Equal(t, []string{"a", "b"}, games)
}

// The error names every server.
func TestFailoverWithoutAnyServer(t *testing.T) {
	t.Parallel()
	servers := []string{closedServer(t), closedServer(t)}
	client := newFailover(t, servers...)
	started := time.Now()
	_, err := client.Get(t.Context(), "a")
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	require.ErrorAs(t, err, new(*url.Error), "which means that there was no response")
	require.ErrorContains(t, err, "cannot reach any of 2 daemons: "+servers[0]+": dial tcp ")
	require.ErrorContains(t, err, "; "+servers[1]+": dial tcp ")
	require.ErrorIs(t, client.Upsert(t.Context(), running("a")), runtime.ErrUnavailable, "a write that cannot have arrived")
	require.Less(t, time.Since(started), 20*time.Second)

	_, err = httpclient.NewFailover([]httpclient.Server{{URL: servers[0]}, {URL: "localhost"}}, httpclient.Config{})
	require.ErrorContains(t, err, `server address "localhost": use http://HOST:PORT`)
	_, err = httpclient.NewFailover(nil, httpclient.Config{})
	require.ErrorContains(t, err, "there is no server address")
}

// A response of a server is a response, even if it is an error.
func TestFailoverKeepsErrorsOfAServer(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	first, second := serveDaemon(t, store), serveDaemon(t, store)
	_, err := newFailover(t, first.URL, second.URL).Get(t.Context(), "missing")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.Zero(t, second.requests.Load())
}
