package httpclient_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// The connection that sends the new snapshot breaks once too.
func TestWatchAfterACompactionDuringAnOutage(t *testing.T) {
	t.Parallel()
	for _, resync := range []bool{false, true} {
		t.Run("resync="+strconv.FormatBool(resync), func(t *testing.T) {
			t.Parallel()
			network := faultyNetwork{byteLimits: []int{-1, 1500}}
			cfg := network.config()
			var r remote
			large := running("b")
			large.StatePath = strings.Repeat("/x", 2000)
			reconnects := 0
			cfg.OnReconnect = func(error, int64) {
				if reconnects++; reconnects > 1 {
					return
				}
				r.store.DeleteKeys("a")
				require.NoError(t, r.store.Upsert(t.Context(), large))
				require.NoError(t, r.store.Compact(5))
			}
			r = overHTTP(t, cfg, nil)
			require.NoError(t, r.store.Upsert(t.Context(), running("a")))
			require.NoError(t, r.store.Upsert(t.Context(), running("b")))
			var got []eventSummary
			err := rangeWatch(t, r, ports.WatchOptions{Resync: resync}, func(event ports.RuntimeEvent) bool {
				got = append(got, eventSummary{event.Type, event.Revision, event.GameID, event.Last})
				if event.Type == ports.EventSynced && len(got) == 3 {
					network.breakConnection()
				}
				return event.Type != ports.EventSynced || len(got) == 3
			})
			require.Equal(t, []eventSummary{{ports.EventSnapshot, 3, "a", false}, {ports.EventSnapshot, 3, "b", false}, {ports.EventSynced, 3, "", true}}, got[:3])
			if !resync {
				requireOnly(t, runtime.ErrCompacted, err)
				require.Len(t, got, 3, "events: %v", got)
				return
			}
			require.NoError(t, err)
			require.Equal(t, 2, reconnects)
			require.Equal(t, ports.EventResync, got[3].kind, "got %v", got)
			require.Equal(t, []eventSummary{{ports.EventSnapshot, 5, "b", false}, {ports.EventDeleted, 5, "a", false}, {ports.EventSynced, 5, "", true}}, got[4:])
		})
	}
}

// A game that only stopped matching the filter during the outage is not deleted.
func TestResyncDistinguishesDeletedGamesFromFilteredOnes(t *testing.T) {
	t.Parallel()
	var network faultyNetwork
	cfg := network.config()
	var r remote
	cfg.OnReconnect = func(error, int64) {
		_, err := r.store.Transition(t.Context(), stop("filtered"))
		require.NoError(t, err)
		r.store.DeleteKeys("deleted")
		require.NoError(t, r.store.Compact(6))
	}
	r = overHTTP(t, cfg, nil)
	for _, game := range []string{"deleted", "filtered", "kept"} {
		require.NoError(t, r.store.Upsert(t.Context(), running(game)))
	}
	var got []eventSummary
	require.NoError(t, rangeWatch(t, r, ports.WatchOptions{Resync: true, RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}}}, func(event ports.RuntimeEvent) bool {
		got = append(got, eventSummary{event.Type, event.Revision, event.GameID, event.Last})
		if event.Type == ports.EventSynced && len(got) == 4 {
			network.breakConnection()
		}
		return event.Type != ports.EventSynced || len(got) == 4
	}))
	require.Equal(t, ports.EventResync, got[4].kind, "got %v", got)
	require.Equal(t, []eventSummary{{ports.EventSnapshot, 6, "kept", false}, {ports.EventDeleted, 6, "deleted", false}, {ports.EventSynced, 6, "", true}}, got[5:])
}
