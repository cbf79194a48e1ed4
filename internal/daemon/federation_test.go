package daemon_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/federation"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/tcptest"
)

// storeSettings returns the settings of the daemon of a store of its own, on an embedded etcd, with
// the process engine and the image game:1.
func storeSettings(t *testing.T, region string, federate ...string) config.Config {
	t.Helper()
	cfg := newSettings(t)
	cfg.Engine, cfg.Region, cfg.Node, cfg.Federate = config.EngineProcess, region, region+"-1", federate
	image := filepath.Join(cfg.DataDir, "images", "game", "1")
	require.NoError(t, os.MkdirAll(filepath.Dir(image), 0o755))
	require.NoError(t, os.WriteFile(image, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755))
	killGamesAtEnd(t, cfg.DataDir)
	return cfg
}

// ofStore returns a client of another store at the daemon.
func (r *runningDaemon) ofStore(t *testing.T, name string) *httpclient.Client {
	t.Helper()
	client, err := httpclient.New(httpclient.StoreURL(r.API, name), httpclient.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// storeNamed returns what the daemon knows of a store.
func (r *runningDaemon) storeNamed(t require.TestingT, name string) api.Store {
	_, body := get(t, r.API+"/v1/stores")
	var stores api.Stores
	require.NoError(t, json.Unmarshal([]byte(body), &stores))
	for _, store := range stores.Items {
		if store.Name == name {
			return store
		}
	}
	require.Fail(t, "no such store", "%s in %s", name, body)
	return api.Store{}
}

// requireStore waits until the store has the state.
func (r *runningDaemon) requireStore(t *testing.T, name string, want federation.State, reason string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		store := r.storeNamed(c, name)
		require.Equal(c, want, store.State, store.Error)
		require.Contains(c, store.Error, reason)
	}, timeout, 50*time.Millisecond)
}

// A daemon forwards every kind of request to a daemon of another store, whose response the client
// gets.
func TestOperationsInAnotherStore(t *testing.T) {
	t.Parallel()
	us := start(t, storeSettings(t, "us"))
	eu := start(t, storeSettings(t, "eu", "us="+us.API))
	remote := eu.ofStore(t, "us")
	events := watch(t, &runningDaemon{Ready: eu.Ready, client: remote})
	requireEvent(t, events, ports.EventSynced, "")

	result, err := remote.RunOperation(t.Context(), httpclient.Operation{OperationRequest: ports.OperationRequest{
		GameID: "a/b", Kind: operation.KindStart, Spec: sleepingGame(), Origin: ports.Origin{OperationID: "op-1", Actor: "ada", Reason: "league"},
	}, Until: httpclient.WaitDone}, nil)
	require.NoError(t, err)
	require.Equal(t, "us-1", result.Record.Node)
	requireEvent(t, events, ports.EventUpserted, "a/b")
	found, err := us.client.GetVersioned(t.Context(), "a/b")
	require.NoError(t, err)
	require.GreaterOrEqual(t, found.Revision, result.Revision, "the daemon writes the condition of the game later")
	_, err = eu.client.GetVersioned(t.Context(), "a/b")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	entries, err := remote.History(t.Context(), "a/b")
	require.NoError(t, err)
	started := slices.IndexFunc(entries, func(e runtime.LedgerEntry) bool { return e.OperationID == "op-1" })
	require.GreaterOrEqual(t, started, 0, "entries %+v", entries)
	require.Equal(t, []string{"ada", "league"}, []string{entries[started].Actor, entries[started].Reason})
	require.Equal(t, result.Revision, entries[started].Revision, "the revision is that of the other store")
	err = remote.UpdateStatus(t.Context(), ports.UpdateStatusInput{GameID: "a/b", ExpectedFrom: runtime.StatusStopped, To: runtime.StatusRemoved, Now: time.Now()})
	require.ErrorIs(t, err, runtime.ErrConflict, "a problem of the other store")
	explanation, err := remote.Explain(t.Context(), "a/b")
	require.NoError(t, err)
	require.Equal(t, "us-1", explanation.Record.Node)
	_, err = remote.RunOperation(t.Context(), httpclient.Operation{OperationRequest: ports.OperationRequest{GameID: "a/b", Kind: operation.KindStop}}, nil)
	require.NoError(t, err)
	requireEvent(t, events, ports.EventTransitioned, "a/b")

	_, metrics := get(t, eu.API+"/metrics")
	require.Contains(t, metrics, `rtmanager_federated_store_ready{store="us"} 1`)
	for path, want := range map[string]int{
		"/v1/stores/us/readyz": 200, "/v1/stores/us/metrics": 200, "/v1/stores/eu/v1/cluster": 200, "/v1/stores/us/v1/runtimes/none": 404,
		"/v1/stores/none/v1/runtimes": 404, "/v1/stores/us": 404, "/v1/stores/us/v1/none": 404, "/v1/stores/us/v1/../../../../etc": 404,
		"/v1/stores/us/v1/stores/eu/v1/runtimes": 400, "/v1/stores/..%2Fus/v1/runtimes": 400,
	} {
		status, body := get(t, eu.API+path)
		require.Equal(t, want, status, "%s: %s", path, body)
	}
}

// A response has the identity of its store: revisions belong to it.
func TestResponsesNameTheirStore(t *testing.T) {
	t.Parallel()
	us := start(t, storeSettings(t, "us"))
	eu := start(t, storeSettings(t, "eu", "us="+us.API))
	for path, want := range map[string]string{"/v1/cluster": eu.Store, "/v1/stores/eu/v1/cluster": eu.Store, "/v1/stores/us/v1/cluster": us.Store, "/v1/stores/us/v1/runtimes/none": us.Store} {
		response, err := http.Get(eu.API + path)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, response.Body)
		require.NoError(t, response.Body.Close())
		require.Equal(t, []string{want}, response.Header.Values(api.HeaderStore), path)
	}
}

// A list of all stores has every record once, with its store, in pages whose parts stay at one revision.
func TestListOfAllStores(t *testing.T) {
	t.Parallel()
	us, ap := start(t, storeSettings(t, "us")), start(t, storeSettings(t, "ap"))
	eu := start(t, storeSettings(t, "eu", "us="+us.API, "ap="+ap.API))
	want := []string{}
	for name, d := range map[string]*runningDaemon{"eu": eu, "us": us, "ap": ap} {
		for i := range 5 {
			require.NoError(t, d.client.Upsert(t.Context(), record(fmt.Sprintf("%s-%d", name, i))))
			want = append(want, fmt.Sprintf("%s/%s-%d", name, name, i))
		}
	}
	for _, limit := range []int{1, 3, 4, 5, 7, 100} {
		query, names := ports.PageQuery{Limit: limit}, []string{}
		revisions := map[string]int64{}
		for isFirst := true; isFirst || query.After != ""; isFirst = false {
			page, err := eu.client.ListAllStores(t.Context(), query, false)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page.Items), limit)
			for i, item := range page.Items {
				names = append(names, page.ItemStores[i]+"/"+item.GameID)
				require.Positive(t, page.ItemRevisions[i])
			}
			require.Len(t, page.Stores, 3)
			for _, store := range page.Stores {
				if isFirst {
					revisions[store.Name] = store.Revision
					// Changes after the first page are not in the list.
					require.NoError(t, us.client.Upsert(t.Context(), record("us-0")))
				}
				require.Equal(t, revisions[store.Name], store.Revision)
			}
			query.After = page.Continue
		}
		require.ElementsMatch(t, want, names, "limit %d", limit)
	}
	for query, reason := range map[string]string{
		"stores=all&revision=3": "stores=all lists several", "stores=all&continue=x": "is not a token of this store", "stores=some": "own, all",
	} {
		status, body := get(t, eu.API+"/v1/runtimes?"+query)
		require.Equal(t, 400, status, body)
		require.Contains(t, body, reason)
	}
	status, body := get(t, eu.API+"/v1/stores/us/v1/runtimes?stores=all")
	require.Equal(t, 400, status, body)
	require.Contains(t, body, "must be own in a request that another store has forwarded")
}

// requirePartial requires that the list of all stores lacks only the store, for the reason, and that it has the others if
// that is allowed.
func requirePartial(t *testing.T, d *runningDaemon, store, reason string) {
	t.Helper()
	_, err := d.client.ListAllStores(t.Context(), ports.PageQuery{Limit: 10}, false)
	var partial *runtime.PartialError
	require.ErrorAs(t, err, &partial)
	require.Len(t, partial.Missing, 1)
	require.Equal(t, store, partial.Missing[0].Store)
	require.Contains(t, partial.Missing[0].Reason, reason)
	page, err := d.client.ListAllStores(t.Context(), ports.PageQuery{Limit: 10}, true)
	require.NoError(t, err)
	require.Equal(t, []string{d.Store, ""}, []string{page.Stores[0].StoreID, page.Stores[1].StoreID})
	require.Contains(t, page.Stores[1].Error, reason)
	require.Zero(t, page.Stores[1].Revision)
	require.Equal(t, []string{"local"}, []string{page.Items[0].GameID})
}

// A store that is away makes the list partial, and requests to it fail without an effect. It is used
// as soon as it is present.
func TestAbsentStore(t *testing.T) {
	t.Parallel()
	listener, port := tcptest.Listen(t, "127.0.0.1")
	address := fmt.Sprintf("127.0.0.1:%d", port)
	require.NoError(t, listener.Close())
	eu := start(t, storeSettings(t, "eu", "us=http://"+address))
	require.NoError(t, eu.client.Upsert(t.Context(), record("local")))
	requirePartial(t, eu, "us", "connection refused")
	status, body := get(t, eu.API+"/v1/stores/us/v1/runtimes")
	require.Equal(t, 502, status, body)
	require.Contains(t, body, `"code":"store_unusable"`)
	err := eu.ofStore(t, "us").UpdateStatus(t.Context(), stop("game"))
	require.ErrorIs(t, err, federation.ErrUnusable, "nothing was done, so the outcome is not unknown")

	cfg := storeSettings(t, "us")
	cfg.Listen = address
	us := start(t, cfg)
	require.NoError(t, eu.ofStore(t, "us").Upsert(t.Context(), record("game")), "the request does not wait for the next probe")
	page, err := eu.client.ListAllStores(t.Context(), ports.PageQuery{Limit: 10}, false)
	require.NoError(t, err)
	require.Equal(t, []string{"eu", "us"}, page.ItemStores)
	require.Equal(t, us.Store, page.Stores[1].StoreID)
}

// A store whose daemons have lost their etcd serves local reads to other stores too.
func TestDegradedStore(t *testing.T) {
	t.Parallel()
	etcd := etcdtest.Start(t)
	cfg := externalSettings(t, etcd.Endpoint())
	cfg.Engine, cfg.Region, cfg.Node = config.EngineNone, "us", "us-1"
	us := start(t, cfg)
	require.NoError(t, us.client.Upsert(t.Context(), record("game")))
	eu := start(t, storeSettings(t, "eu", "us="+us.API))
	eu.requireStore(t, "us", federation.StateReady, "")
	etcd.Stop()
	eu.requireStore(t, "us", federation.StateDegraded, "its etcd does not")
	found, _, err := eu.ofStore(t, "us").GetLocal(t.Context(), "game")
	require.NoError(t, err)
	require.Equal(t, "game", found.Record.GameID)
	status, body := get(t, eu.API+"/v1/runtimes?stores=all&consistency=local")
	require.Equal(t, 200, status, body)
	require.Contains(t, body, `"game_id":"game"`)
	etcd.Restart()
	eu.requireStore(t, "us", federation.StateReady, "")
}

// A watch of another store continues without a gap when the daemon there, and then the one here,
// was away.
func TestWatchOfAnotherStoreContinues(t *testing.T) {
	t.Parallel()
	settings := func(region string, federate ...string) config.Config {
		listener, port := tcptest.Listen(t, "127.0.0.1")
		require.NoError(t, listener.Close())
		cfg := storeSettings(t, region, federate...)
		cfg.Engine, cfg.Listen = config.EngineNone, fmt.Sprintf("127.0.0.1:%d", port)
		return cfg
	}
	usSettings := settings("us")
	us := start(t, usSettings)
	euSettings := settings("eu", "us="+us.API)
	eu := start(t, euSettings)
	events := watch(t, &runningDaemon{Ready: eu.Ready, client: eu.ofStore(t, "us")})
	requireEvent(t, events, ports.EventSynced, "")
	require.NoError(t, us.client.Upsert(t.Context(), record("before")))
	requireEvent(t, events, ports.EventUpserted, "before")
	require.NoError(t, us.stop())
	us = start(t, usSettings)
	require.NoError(t, us.client.Upsert(t.Context(), record("other restarted")))
	requireEvent(t, events, ports.EventUpserted, "other restarted")
	require.NoError(t, eu.stop())
	require.NoError(t, us.client.Upsert(t.Context(), record("in the meantime")))
	start(t, euSettings)
	requireEvent(t, events, ports.EventUpserted, "in the meantime")
}

// otherServer is a server in the place of a daemon of another store.
func otherServer(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

// A store that does not respond is reported within a bounded time.
func TestSlowStore(t *testing.T) {
	t.Parallel()
	slow := otherServer(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	eu := start(t, storeSettings(t, "eu", "us="+slow))
	require.NoError(t, eu.client.Upsert(t.Context(), record("local")))
	requirePartial(t, eu, "us", "did not respond in time at "+slow)
	eu.requireStore(t, "us", federation.StateUnreachable, "did not respond in time")
}

// A store with another version of the API, or a server that is no daemon, is not used.
func TestIncompatibleStores(t *testing.T) {
	t.Parallel()
	var hasOtherRequest atomic.Bool
	respond := func(status int, media, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/cluster" && r.URL.Path != "/v1/auth" {
				hasOtherRequest.Store(true)
			}
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		state  federation.State
		reason string
	}{
		"a later API":    {respond(200, "application/json", `{"api_version":2,"store_id":"x","version":"9.0.0"}`), federation.StateIncompatible, "has version 2 of the API"},
		"no such route":  {respond(404, api.ProblemMediaType, `{"code":"no_such_route","detail":"use /v2"}`), federation.StateIncompatible, "use /v2"},
		"a web page":     {respond(200, "text/html", "<html>"), federation.StateIncompatible, "is no rtmanager daemon"},
		"no identity":    {respond(200, "application/json", `{}`), federation.StateIncompatible, "no identity of its store"},
		"a proxy":        {respond(502, "text/html", "<html>"), federation.StateUnreachable, "502 Bad Gateway"},
		"no credentials": {respond(401, api.ProblemMediaType, `{"code":"unauthenticated","detail":"no proof"}`), federation.StateDenied, "no proof"},
	} {
		t.Run(name, func(t *testing.T) {
			other := otherServer(t, c.handle)
			eu := start(t, storeSettings(t, "eu", "us="+other))
			require.NoError(t, eu.client.Upsert(t.Context(), record("local")))
			requirePartial(t, eu, "us", c.reason)
			eu.requireStore(t, "us", c.state, c.reason)
			_, err := eu.ofStore(t, "us").Get(t.Context(), "game")
			require.ErrorIs(t, err, federation.ErrUnusable)
			require.False(t, hasOtherRequest.Load(), "only probes reach the server")
		})
	}
}

// Two names are never the same store, and no other store is the daemon's own.
func TestStoresAreDistinct(t *testing.T) {
	t.Parallel()
	us := start(t, storeSettings(t, "us"))
	cfg := externalSettings(t, etcdtest.Start(t).Endpoint())
	cfg.Engine, cfg.Region, cfg.Node = config.EngineNone, "eu", "eu-1"
	first := start(t, cfg)
	cfg.Node, cfg.Federate = "eu-2", []string{"us=" + us.API, "ap=" + us.API + "/", "own=" + first.API}
	cfg.Federate[1] = "ap=" + strings.Replace(us.API, "127.0.0.1", "localhost", 1)
	second := start(t, cfg)
	second.requireStore(t, "us", federation.StateReady, "")
	second.requireStore(t, "ap", federation.StateDuplicate, "is the same store as us")
	second.requireStore(t, "own", federation.StateDuplicate, "is the store of this daemon itself")
	for _, name := range []string{"ap", "own"} {
		require.ErrorIs(t, second.ofStore(t, name).Upsert(t.Context(), record("game")), federation.ErrUnusable)
	}
	for _, d := range []*runningDaemon{us, first} {
		_, err := d.client.Get(t.Context(), "game")
		require.ErrorIs(t, err, runtime.ErrNotFound)
	}
}

// The first URL that responds is used. A request goes to another URL if its daemon has stopped.
func TestSeveralURLsOfOneStore(t *testing.T) {
	t.Parallel()
	cfg := externalSettings(t, etcdtest.Start(t).Endpoint())
	cfg.Engine, cfg.Region, cfg.Node = config.EngineNone, "us", "us-1"
	first := start(t, cfg)
	cfg.Node = "us-2"
	second := start(t, cfg)
	eu := start(t, storeSettings(t, "eu", "us="+first.API, second.API))
	require.Equal(t, first.API, eu.storeNamed(t, "us").URL)
	remote := eu.ofStore(t, "us")
	require.NoError(t, remote.Upsert(t.Context(), record("game")))
	require.NoError(t, first.stop())
	// A kept connection may have been closed during the write: its outcome is then unknown.
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, remote.Upsert(t.Context(), record("game")))
	}, timeout, 10*time.Millisecond)
	require.Equal(t, second.API, eu.storeNamed(t, "us").URL)
}

// otherProxy is a server that forwards requests to the daemon that target returns.
func otherProxy(t *testing.T, target func(*http.Request) *runningDaemon, respond func(http.ResponseWriter, *http.Request, *http.Response)) string {
	t.Helper()
	return otherServer(t, func(w http.ResponseWriter, r *http.Request) {
		request, err := http.NewRequestWithContext(r.Context(), r.Method, target(r).API+r.URL.RequestURI(), r.Body)
		if err != nil {
			return
		}
		request.Header = r.Header.Clone()
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			return
		}
		defer response.Body.Close()
		respond(w, r, response)
	})
}

// copyResponse passes the response on.
func copyResponse(w http.ResponseWriter, _ *http.Request, response *http.Response) {
	for name, values := range response.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}

// A change whose response is lost between the stores has an unknown outcome. Its repetition with the
// same key finds that it was applied.
func TestLostResponsesOfAnotherStore(t *testing.T) {
	t.Parallel()
	us := start(t, storeSettings(t, "us"))
	var lost atomic.Int32
	proxy := otherProxy(t, func(*http.Request) *runningDaemon { return us }, func(w http.ResponseWriter, r *http.Request, response *http.Response) {
		if r.Method != http.MethodGet && lost.Add(1)%2 == 1 {
			panic(http.ErrAbortHandler)
		}
		copyResponse(w, r, response)
	})
	eu := start(t, storeSettings(t, "eu", "us="+proxy))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, eu.API+"/v1/stores/us/v1/runtimes/game/start", strings.NewReader(`{"image":"game:1","health_path":"none"}`))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var unknown api.Problem
	require.NoError(t, json.NewDecoder(response.Body).Decode(&unknown))
	require.Equal(t, []any{504, api.CodeOutcomeUnknown, "us", "game"}, []any{response.StatusCode, unknown.Code, unknown.Store, unknown.GameID})
	result, err := eu.ofStore(t, "us").RunOperation(t.Context(), httpclient.Operation{OperationRequest: ports.OperationRequest{
		GameID: "game", Kind: operation.KindStart, Spec: sleepingGame(), Origin: ports.Origin{OperationID: unknown.OperationID},
	}, Until: httpclient.WaitRunning}, nil)
	require.NoError(t, err)
	require.Equal(t, unknown.OperationID, result.OperationID)

	require.NoError(t, eu.ofStore(t, "us").Upsert(t.Context(), record("plain")), "the client repeats it")
	entries, err := us.client.History(t.Context(), "plain")
	require.NoError(t, err)
	require.Len(t, entries, 1, "it was applied once")
}

// A name keeps its store: a daemon of another store at a URL is not used for it.
func TestReplacedStore(t *testing.T) {
	t.Parallel()
	us, ap := start(t, storeSettings(t, "us")), start(t, storeSettings(t, "ap"))
	replaced := make(chan struct{})
	proxy := otherProxy(t, func(*http.Request) *runningDaemon {
		select {
		case <-replaced:
			return ap
		default:
			return us
		}
	}, copyResponse)
	eu := start(t, storeSettings(t, "eu", "us="+proxy))
	eu.requireStore(t, "us", federation.StateReady, "")
	close(replaced)
	_, err := eu.ofStore(t, "us").Get(t.Context(), "game")
	require.Error(t, err)
	require.NotErrorIs(t, err, runtime.ErrNotFound, "a response of another store is not passed on")
	eu.requireStore(t, "us", federation.StateIncompatible, "restart this daemon if the store was replaced")
}
