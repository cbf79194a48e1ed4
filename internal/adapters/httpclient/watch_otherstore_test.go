package httpclient_test

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// swappableServer is a handler that a test can replace.
type swappableServer struct{ handler atomic.Pointer[http.Handler] }

func (p *swappableServer) middleware(api http.Handler) http.Handler {
	p.handler.Store(&api)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*p.handler.Load()).ServeHTTP(w, r) })
}

func (p *swappableServer) swap(t *testing.T, store httpserver.Store) {
	t.Helper()
	api, err := httpserver.New(store, httpserver.Config{})
	require.NoError(t, err)
	handler := api.Handler()
	p.handler.Store(&handler)
}

// storeWith returns a store with the games, written in this order.
func storeWith(t *testing.T, games ...string) *memstore.Store {
	t.Helper()
	store := memstore.New()
	for _, game := range games {
		require.NoError(t, store.Upsert(t.Context(), running(game)))
	}
	return store
}

// eventSummary is the part of an event that tests compare.
type eventSummary struct {
	kind     ports.EventType
	revision int64
	game     string
	last     bool
}

// unnamedStore is a store whose server sends no id.
type unnamedStore struct{ *memstore.Store }

func (unnamedStore) ID() string { return "" }

func TestWatchDetectsAnotherStore(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]*memstore.Store{
		"with lower revisions":  storeWith(t, "b"),
		"with higher revisions": storeWith(t, "b", "b", "d", "d", "d", "d", "d", "d"),
	} {
		for _, resync := range []bool{false, true} {
			t.Run(name+"/resync="+strconv.FormatBool(resync), func(t *testing.T) {
				t.Parallel()
				var network faultyNetwork
				var server swappableServer
				r := overHTTP(t, network.config(), server.middleware)
				for _, game := range []string{"a", "b", "c"} {
					require.NoError(t, r.store.Upsert(t.Context(), running(game)))
				}
				var got []eventSummary
				var deleted *runtime.RuntimeRecord
				err := rangeWatch(t, r, ports.WatchOptions{Resync: resync}, func(event ports.RuntimeEvent) bool {
					switch {
					case event.Type == ports.EventSynced && got == nil:
						r.store.DeleteKeys("c")
					case event.GameID == "c" && event.Type == ports.EventDeleted:
						got = []eventSummary{}
						server.swap(t, other)
						network.breakConnection()
					case got != nil:
						got = append(got, eventSummary{event.Type, event.Revision, event.GameID, event.Last})
						if event.Type == ports.EventDeleted {
							deleted = event.Before
							require.Nil(t, event.After)
						}
						return event.Type != ports.EventSynced
					}
					return true
				})
				if !resync {
					requireOnly(t, runtime.ErrForeignRevision, err)
					require.Empty(t, got, "events after the store was replaced")
					return
				}
				require.NoError(t, err)
				revision, err := other.Revision(t.Context())
				require.NoError(t, err)
				want := []eventSummary{{ports.EventResync, revision, "", false}, {ports.EventSnapshot, revision, "b", false}}
				if name == "with higher revisions" {
					want = append(want, eventSummary{ports.EventSnapshot, revision, "d", false})
				}
				require.Equal(t, append(want, eventSummary{ports.EventDeleted, revision, "a", false}, eventSummary{ports.EventSynced, revision, "", true}), got)
				require.Equal(t, running("a"), *deleted, "the last record of the deleted game that the consumer received")
			})
		}
	}
}

// A server that cannot name its store does not make the client drop the id of the store
// that its position belongs to.
func TestWatchKeepsItsStoreIDOverAServerThatCannotNameIt(t *testing.T) {
	t.Parallel()
	var network faultyNetwork
	var server swappableServer
	r := overHTTP(t, network.config(), server.middleware)
	require.NoError(t, r.store.Upsert(t.Context(), running("a")))
	other := storeWith(t, "x", "x", "x", "x", "x", "x")
	err := rangeWatch(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
		if event.Type == ports.EventSynced {
			server.swap(t, unnamedStore{r.store})
			network.breakConnection()
			require.NoError(t, r.store.Upsert(t.Context(), running("next")))
		}
		if event.Type == ports.EventUpserted {
			require.Equal(t, "next", event.GameID, "got a change of the other store: %+v", event)
			server.swap(t, other)
			network.breakConnection()
		}
		return true
	})
	requireOnly(t, runtime.ErrForeignRevision, err)
}

// Before the first complete snapshot there is no position that could be foreign.
func TestWatchBrokenBeforeItsSnapshotAcceptsAnotherStore(t *testing.T) {
	t.Parallel()
	network := faultyNetwork{byteLimits: []int{1500}}
	var server swappableServer
	cfg := network.config()
	cfg.OnReconnect = func(_ error, from int64) {
		require.Zero(t, from, "revision to resume from")
		server.swap(t, storeWith(t, "b"))
	}
	r := overHTTP(t, cfg, server.middleware)
	for n := range 20 {
		require.NoError(t, r.store.Upsert(t.Context(), running(strconv.Itoa(n))))
	}
	var got []eventSummary
	require.NoError(t, rangeWatch(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
		got = append(got, eventSummary{event.Type, event.Revision, event.GameID, event.Last})
		return event.Type != ports.EventSynced
	}))
	require.Equal(t, []eventSummary{{ports.EventSnapshot, 2, "b", false}, {ports.EventSynced, 2, "", true}}, got)
}
