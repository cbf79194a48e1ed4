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

// writeHistory writes the history, compacts most of it after each step, and returns the
// revision of its last write.
func writeHistory(t *testing.T, r fixture, rng *rand.Rand, steps *steps, paced <-chan int64) int64 {
	t.Helper()
	games := []string{"game-000", "game-001", "game-002", "a/b", "🎲", "z"}
	for n := range historyWrites {
		id := games[rng.IntN(len(games))]
		switch rng.IntN(12) {
		case 0:
			r.putManyRaw(3, fmt.Sprint("node-", rng.IntN(3)))
		case 1:
			_, err := r.etcd.Delete(t.Context(), r.prefix+"/runtimes/"+url.PathEscape(id))
			require.NoError(t, err)
		case 2:
			r.putRaw("/other", "not a record")
		case 3, 4:
			rec := runningRecord(id)
			rec.Region = fmt.Sprint("region-", rng.IntN(2))
			r.putRecordRaw(rec)
		default:
			r.transitionRaw(id)
		}
		if (n+1)%historyStep == 0 {
			if step := (n + 1) / historyStep; step%4 == 0 {
				waitForConsumer(t, r.putRecordRaw(runningRecord("pace")), paced)
			}
			_, err := r.etcd.Compact(t.Context(), r.head()-int64(rng.IntN(historyStep/2)))
			if !errors.Is(err, rpctypes.ErrCompacted) { // by the previous step, if this one had few writes
				require.NoError(t, err)
			}
			close(steps.done[n/historyStep])
		}
	}
	rec := runningRecord("last")
	return r.putRecordRaw(rec)
}

// waitForConsumer waits until a consumer has received the revision.
func waitForConsumer(t *testing.T, revision int64, paced <-chan int64) {
	t.Helper()
	for head := range paced {
		if head >= revision {
			return
		}
	}
	require.Fail(t, "the consumer that paces the writer has ended", "before it received revision %d", revision)
}

// putRecordRaw writes a record as an upsert would, but without its index, which raw
// deletions would leave.
func (r fixture) putRecordRaw(rec runtime.RuntimeRecord) int64 {
	r.t.Helper()
	value, err := json.Marshal(rec)
	require.NoError(r.t, err)
	return r.putRaw("/runtimes/"+url.PathEscape(rec.GameID), string(value))
}

// transitionRaw changes the game to its next status, as a transition would, if it exists.
func (r fixture) transitionRaw(gameID string) {
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
		LastWrite storedLastWrite `json:"last_write"`
	}{rec, storedLastWrite{ID: "x", Seq: 1, Verb: "transition"}})
	require.NoError(r.t, err)
	r.putRaw("/runtimes/"+url.PathEscape(gameID), string(value))
}

// recordedChange is one change of one record, as etcd's own watch reported it.
type recordedChange struct {
	kind          ports.EventType
	revision      int64
	gameID        string
	before, after *runtime.RuntimeRecord
}

// recordChanges starts to record every change. The returned function waits for the
// revision and returns all of them.
func recordChanges(t *testing.T, r fixture) func(until int64) []recordedChange {
	t.Helper()
	in := r.etcd.Watch(within(t, 2*testTimeout), r.prefix+"/runtimes/", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	created := <-in
	require.True(t, created.Created)
	taken := make(chan clientv3.WatchResponse, historyWrites+1)
	go func() {
		defer close(taken)
		for resp := range in {
			taken <- resp
		}
	}()
	return func(until int64) []recordedChange {
		var changes []recordedChange
		now := map[string]*runtime.RuntimeRecord{} // etcd omits compacted values
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

func changeOf(t *testing.T, r fixture, ev *clientv3.Event) recordedChange {
	t.Helper()
	segment := strings.TrimPrefix(string(ev.Kv.GetKey()), r.prefix+"/runtimes/")
	gameID, err := url.PathUnescape(segment)
	require.NoError(t, err)
	c := recordedChange{kind: ports.EventUpserted, revision: ev.Kv.GetModRevision(), gameID: gameID}
	switch {
	case ev.Type == clientv3.EventTypeDelete:
		c.kind = ports.EventDeleted
	case lastWriteOf(t, ev.Kv.GetValue()).Verb == "transition":
		c.kind = ports.EventTransitioned
		fallthrough
	default:
		c.after = &runtime.RuntimeRecord{}
		require.NoError(t, json.Unmarshal(ev.Kv.GetValue(), c.after))
	}
	return c
}
