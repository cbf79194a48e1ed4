package etcdstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// writeHistory makes the history, compacts most of it after each step, and
// returns the revision of its last write.
func writeHistory(t *testing.T, r rig, rng *rand.Rand, steps *steps, paced <-chan int64) int64 {
	t.Helper()
	games := []string{"game-000", "game-001", "game-002", "a/b", "🎲", "z"}
	for n := range historyWrites {
		id := games[rng.IntN(len(games))]
		switch rng.IntN(12) {
		case 0:
			r.plantMany(3, fmt.Sprint("node-", rng.IntN(3)))
		case 1:
			_, err := r.etcd.Delete(t.Context(), r.prefix+"/runtimes/"+url.PathEscape(id))
			require.NoError(t, err)
		case 2:
			r.plant("/elsewhere", "no record")
		case 3, 4:
			rec := runningRecord(id)
			rec.Region = fmt.Sprint("region-", rng.IntN(2))
			r.plantRecord(rec)
		default:
			r.plantMoved(id)
		}
		if (n+1)%historyStep == 0 {
			if step := (n + 1) / historyStep; step%4 == 0 {
				awaitPace(t, r.plantRecord(runningRecord("pace")), paced)
			}
			_, err := r.etcd.Compact(t.Context(), r.head()-int64(rng.IntN(historyStep/2)))
			if !errors.Is(err, rpctypes.ErrCompacted) { // by the step before, when few writes of this one had anything to change
				require.NoError(t, err)
			}
			close(steps.done[n/historyStep])
		}
	}
	rec := runningRecord("last")
	return r.plantRecord(rec)
}

// awaitPace waits until a consumer has been told of the revision.
func awaitPace(t *testing.T, revision int64, paced <-chan int64) {
	t.Helper()
	for head := range paced {
		if head >= revision {
			return
		}
	}
	require.Fail(t, "the consumer that paces the writer has ended", "before it was told of revision %d", revision)
}

// plantRecord writes a record as an upsert would, without its index: deletions
// by hand would leave that behind.
func (r rig) plantRecord(rec runtime.RuntimeRecord) int64 {
	r.t.Helper()
	value, err := json.Marshal(rec)
	require.NoError(r.t, err)
	return r.plant("/runtimes/"+url.PathEscape(rec.GameID), string(value))
}

// plantMoved moves the game to its next status, as a transition would, if it is
// there.
func (r rig) plantMoved(gameID string) {
	r.t.Helper()
	found, err := r.GetVersioned(r.t.Context(), gameID)
	if err != nil {
		require.ErrorIs(r.t, err, runtime.ErrNotFound)
		return
	}
	to := map[runtime.Status]runtime.Status{
		runtime.StatusRunning: runtime.StatusStopped, runtime.StatusStopped: runtime.StatusRunning, runtime.StatusRemoved: runtime.StatusRunning,
	}[found.Record.Status]
	rec, err := found.Record.Apply(to, time.Now())
	require.NoError(r.t, err)
	value, err := json.Marshal(struct {
		runtime.RuntimeRecord
		LastOp storedLastOp `json:"last_write"`
	}{rec, storedLastOp{ID: "x", Seq: 1, Verb: "transition"}})
	require.NoError(r.t, err)
	r.plant("/runtimes/"+url.PathEscape(gameID), string(value))
}

// trueChange is one change of one record, as etcd's own watch told it.
type trueChange struct {
	kind          ports.EventType
	revision      int64
	gameID        string
	before, after *runtime.RuntimeRecord
}

// record starts to take down every change; the function that it returns waits
// for the revision and gives all of them back.
func record(t *testing.T, r rig) func(until int64) []trueChange {
	t.Helper()
	in := r.etcd.Watch(within(t, 2*patience), r.prefix+"/runtimes/", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	created := <-in
	require.True(t, created.Created)
	taken := make(chan clientv3.WatchResponse, historyWrites+1)
	go func() {
		defer close(taken)
		for resp := range in {
			taken <- resp
		}
	}()
	return func(until int64) []trueChange {
		var changes []trueChange
		now := map[string]*runtime.RuntimeRecord{} // etcd leaves out values that are compacted already
		for resp := range taken {
			require.NoError(t, resp.Err(), "etcd's own watch")
			for _, ev := range resp.Events {
				change := changeOf(t, r, ev)
				change.before = now[change.gameID]
				now[change.gameID] = change.after
				changes = append(changes, change)
			}
			if n := len(changes); n > 0 && changes[n-1].revision >= until {
				return changes
			}
		}
		require.Fail(t, "etcd's own watch ended early")
		return nil
	}
}

func changeOf(t *testing.T, r rig, ev *clientv3.Event) trueChange {
	t.Helper()
	segment := strings.TrimPrefix(string(ev.Kv.GetKey()), r.prefix+"/runtimes/")
	gameID, err := url.PathUnescape(segment)
	require.NoError(t, err)
	c := trueChange{kind: ports.EventUpserted, revision: ev.Kv.GetModRevision(), gameID: gameID}
	switch {
	case ev.Type == clientv3.EventTypeDelete:
		c.kind = ports.EventDeleted
	case lastOpOf(t, ev.Kv.GetValue()).Verb == "transition":
		c.kind = ports.EventTransitioned
		fallthrough
	default:
		c.after = &runtime.RuntimeRecord{}
		require.NoError(t, json.Unmarshal(ev.Kv.GetValue(), c.after))
	}
	return c
}
