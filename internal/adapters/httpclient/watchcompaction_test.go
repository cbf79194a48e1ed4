package httpclient_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// The connection on which the new snapshot comes breaks once too.
func TestWatchOverACompactionWhileAway(t *testing.T) {
	t.Parallel()
	for _, resync := range []bool{false, true} {
		t.Run("resync="+strconv.FormatBool(resync), func(t *testing.T) {
			t.Parallel()
			line := network{allow: []int{-1, 1500}}
			cfg := line.config()
			var r remote
			large := running("b")
			large.StatePath = strings.Repeat("/x", 2000)
			reconnects := 0
			cfg.OnReconnect = func(error, int64) {
				if reconnects++; reconnects > 1 {
					return
				}
				r.store.Delete("a")
				require.NoError(t, r.store.Upsert(t.Context(), large))
				require.NoError(t, r.store.Compact(5))
			}
			r = overHTTP(t, cfg, nil)
			require.NoError(t, r.store.Upsert(t.Context(), running("a")))
			require.NoError(t, r.store.Upsert(t.Context(), running("b")))
			var got []told
			err := follow(t, r, ports.WatchOptions{Resync: resync}, func(event ports.RuntimeEvent) bool {
				got = append(got, told{event.Type, event.Revision, event.GameID, event.Last})
				if event.Type == ports.EventSynced && len(got) == 3 {
					line.cut()
				}
				return event.Type != ports.EventSynced || len(got) == 3
			})
			require.Equal(t, []told{{ports.EventSnapshot, 3, "a", false}, {ports.EventSnapshot, 3, "b", false}, {ports.EventSynced, 3, "", true}}, got[:3])
			if !resync {
				requireOnly(t, runtime.ErrCompacted, err)
				require.Len(t, got, 3, "events: %v", got)
				return
			}
			require.NoError(t, err)
			require.Equal(t, 2, reconnects)
			require.Equal(t, ports.EventResync, got[3].kind, "got %v", got)
			require.Equal(t, []told{{ports.EventSnapshot, 5, "b", false}, {ports.EventDeleted, 5, "a", false}, {ports.EventSynced, 5, "", true}}, got[4:])
		})
	}
}

// A game that has only left the filter while the consumer was away is not gone.
func TestResyncTellsVanishedGamesFromOnesOutsideTheFilter(t *testing.T) {
	t.Parallel()
	var line network
	cfg := line.config()
	var r remote
	cfg.OnReconnect = func(error, int64) {
		_, err := r.store.Transition(t.Context(), stop("left"))
		require.NoError(t, err)
		r.store.Delete("gone")
		require.NoError(t, r.store.Compact(6))
	}
	r = overHTTP(t, cfg, nil)
	for _, game := range []string{"gone", "left", "stays"} {
		require.NoError(t, r.store.Upsert(t.Context(), running(game)))
	}
	var got []told
	require.NoError(t, follow(t, r, ports.WatchOptions{Resync: true, Status: runtime.StatusRunning}, func(event ports.RuntimeEvent) bool {
		got = append(got, told{event.Type, event.Revision, event.GameID, event.Last})
		if event.Type == ports.EventSynced && len(got) == 4 {
			line.cut()
		}
		return event.Type != ports.EventSynced || len(got) == 4
	}))
	require.Equal(t, ports.EventResync, got[4].kind, "got %v", got)
	require.Equal(t, []told{{ports.EventSnapshot, 6, "stays", false}, {ports.EventDeleted, 6, "gone", false}, {ports.EventSynced, 6, "", true}}, got[5:])
}
