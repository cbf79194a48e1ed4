package httpclient_test

import (
	"context"
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

// replaceable stands for the server behind one address.
type replaceable struct{ handler atomic.Pointer[http.Handler] }

func (p *replaceable) middleware(api http.Handler) http.Handler {
	p.handler.Store(&api)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*p.handler.Load()).ServeHTTP(w, r) })
}

func (p *replaceable) replace(t *testing.T, store ports.Store) {
	t.Helper()
	api, err := httpserver.New(store, httpserver.Config{})
	require.NoError(t, err)
	handler := api.Handler()
	p.handler.Store(&handler)
}

// holding returns a store whose games were written in this order.
func holding(t *testing.T, games ...string) *memstore.Store {
	t.Helper()
	store := memstore.New()
	for _, game := range games {
		require.NoError(t, store.Upsert(t.Context(), running(game)))
	}
	return store
}

// told is what a test compares of an event.
type told struct {
	kind     ports.EventType
	revision int64
	game     string
	last     bool
}

// anonymous is a store that cannot say who it is.
type anonymous struct{ *memstore.Store }

func (anonymous) Info(context.Context) (ports.StoreInfo, error) {
	return ports.StoreInfo{}, runtime.ErrUnavailable
}

func TestWatchNoticesThatAnotherStoreAnswers(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]*memstore.Store{
		"with lower revisions":  holding(t, "b"),
		"with higher revisions": holding(t, "b", "b", "d", "d", "d", "d", "d", "d"),
	} {
		for _, resync := range []bool{false, true} {
			t.Run(name+"/resync="+strconv.FormatBool(resync), func(t *testing.T) {
				t.Parallel()
				var line network
				var place replaceable
				r := overHTTP(t, line.config(), place.middleware)
				for _, game := range []string{"a", "b", "c"} {
					require.NoError(t, r.store.Upsert(t.Context(), running(game)))
				}
				var got []told
				var gone *runtime.RuntimeRecord
				err := follow(t, r, ports.WatchOptions{Resync: resync}, func(event ports.RuntimeEvent) bool {
					switch {
					case event.Type == ports.EventSynced && got == nil:
						r.store.Delete("c")
					case event.GameID == "c" && event.Type == ports.EventDeleted:
						got = []told{}
						place.replace(t, other)
						line.cut()
					case got != nil:
						got = append(got, told{event.Type, event.Revision, event.GameID, event.Last})
						if event.Type == ports.EventDeleted {
							gone = event.Before
							require.Nil(t, event.After)
						}
						return event.Type != ports.EventSynced
					}
					return true
				})
				if !resync {
					requireOnly(t, runtime.ErrForeignRevision, err)
					require.Empty(t, got, "events after the other store came")
					return
				}
				require.NoError(t, err)
				revision, err := other.Revision(t.Context())
				require.NoError(t, err)
				want := []told{{ports.EventResync, revision, "", false}, {ports.EventSnapshot, revision, "b", false}}
				if name == "with higher revisions" {
					want = append(want, told{ports.EventSnapshot, revision, "d", false})
				}
				require.Equal(t, append(want, told{ports.EventDeleted, revision, "a", false}, told{ports.EventSynced, revision, "", true}), got)
				require.Equal(t, running("a"), *gone, "what vanished, as the consumer knew it")
			})
		}
	}
}

// A server that could not say whose revisions it gave does not make the client
// forget whose it holds.
func TestWatchRemembersTheStoreOverAServerThatCannotNameIt(t *testing.T) {
	t.Parallel()
	var line network
	var place replaceable
	r := overHTTP(t, line.config(), place.middleware)
	require.NoError(t, r.store.Upsert(t.Context(), running("a")))
	other := holding(t, "x", "x", "x", "x", "x", "x")
	err := follow(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
		if event.Type == ports.EventSynced {
			place.replace(t, anonymous{r.store})
			line.cut()
			require.NoError(t, r.store.Upsert(t.Context(), running("next")))
		}
		if event.Type == ports.EventUpserted {
			require.Equal(t, "next", event.GameID, "got a change of the other store: %+v", event)
			place.replace(t, other)
			line.cut()
		}
		return true
	})
	requireOnly(t, runtime.ErrForeignRevision, err)
}

// A consumer that was told nothing yet holds no revision that could be foreign.
func TestWatchCutBeforeItsSnapshotTakesTheNextServersStore(t *testing.T) {
	t.Parallel()
	line := network{allow: []int{1500}}
	var place replaceable
	cfg := line.config()
	cfg.OnReconnect = func(_ error, from int64) {
		require.Zero(t, from, "revision to resume from")
		place.replace(t, holding(t, "b"))
	}
	r := overHTTP(t, cfg, place.middleware)
	for n := range 20 {
		require.NoError(t, r.store.Upsert(t.Context(), running(strconv.Itoa(n))))
	}
	var got []told
	require.NoError(t, follow(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
		got = append(got, told{event.Type, event.Revision, event.GameID, event.Last})
		return event.Type != ports.EventSynced
	}))
	require.Equal(t, []told{{ports.EventSnapshot, 2, "b", false}, {ports.EventSynced, 2, "", true}}, got)
}
