package etcdstore_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// TestLayout asserts every key and value in etcd after each step of a game's life.
func TestLayout(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rec := runningRecord("a/b")
	rec.CreatedAt, rec.LastOpAt, rec.StartedAt = at, at, &at

	_, err := r.Put(t.Context(), ports.PutInput{Record: rec, Origin: ports.Origin{OperationID: "op-1", Actor: "me", Reason: "new game"}})
	require.NoError(t, err)
	require.Equal(t, []string{
		"/meta/schema", "/runtimes-by-status/running/a%2Fb", "/runtimes/a%2Fb", "/transitions/a%2Fb/01",
	}, keysOf(r.dump()))
	require.Equal(t, "container-1", r.value("/runtimes-by-status/running/a%2Fb"))
	require.JSONEq(t, `{"game_id":"a/b","status":"running","region":"eu-west","node":"node-1","current_container_id":"container-1",
		"current_image_ref":"registry.example/games/engine:1.4.2","engine_endpoint":"http://10.0.0.1:7777","state_path":"/var/lib/games/a/b",
		"docker_network":"games","generation":1,"created_at":"2026-03-01T12:00:00Z","last_op_at":"2026-03-01T12:00:00Z",
		"started_at":"2026-03-01T12:00:00Z","schema":1,"last_write":{"operation_id":"op-1","seq":1,"kind":"upsert"}}`, r.value("/runtimes/a%2Fb"))
	require.JSONEq(t, `{"seq":1,"from":"","to":"running","at":"2026-03-01T12:00:00Z","operation_id":"op-1","actor":"me","reason":"new game",
		"container_id":"container-1","image":"registry.example/games/engine:1.4.2","contents_hash":"9ef2a9c93cb45e26"}`, r.value("/transitions/a%2Fb/01"))

	stop := ports.TransitionInput{UpdateStatusInput: stopInput("a/b"), Origin: ports.Origin{OperationID: "op-2"}}
	stop.Now = at.Add(time.Minute)
	_, err = r.Transition(t.Context(), stop)
	require.NoError(t, err)
	require.Equal(t, []string{
		"/meta/schema", "/runtimes-by-status/stopped/a%2Fb", "/runtimes/a%2Fb", "/transitions/a%2Fb/01", "/transitions/a%2Fb/02",
	}, keysOf(r.dump()))
	require.Equal(t, "container-1", r.value("/runtimes-by-status/stopped/a%2Fb"))
	require.Contains(t, r.value("/runtimes/a%2Fb"), `"stopped_at":"2026-03-01T12:01:00Z"`)
	require.JSONEq(t, `{"seq":2,"from":"running","to":"stopped","at":"2026-03-01T12:01:00Z","operation_id":"op-2","actor":"","reason":"",
		"container_id":"container-1","image":"registry.example/games/engine:1.4.2","contents_hash":"1f57d51f931052d5"}`, r.value("/transitions/a%2Fb/02"))

	r.transition("a/b", runtime.StatusStopped, runtime.StatusRemoved)
	require.Equal(t, "", r.value("/runtimes-by-status/removed/a%2Fb"), "a removed game has no container")
	require.Contains(t, r.value("/runtimes/a%2Fb"), `"current_container_id":""`)
}

func TestSchemaKey(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	require.Regexp(t, `^\{"version":2,"store_id":"[0-9a-f-]{36}"\}$`, r.value("/meta/schema"))
	require.Contains(t, r.ID(), r.value("/meta/schema")[len(`{"version":2,"store_id":"`):][:36])
}

func TestRingOfTheLedger(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	r.overwrite("game", 40)
	slots := filterKeys(r.dump(), "/transitions/game/")
	require.Len(t, slots, 32)
	require.Equal(t, "/transitions/game/00", keysOf(slots)[0])
	require.Equal(t, "/transitions/game/31", keysOf(slots)[31])
	entries, err := r.History(t.Context(), "game")
	require.NoError(t, err)
	require.Len(t, entries, 32)
	require.EqualValues(t, 40, entries[0].Seq)
	require.EqualValues(t, 9, entries[31].Seq)
}

func TestPrefixHoldsEverything(t *testing.T) {
	t.Parallel()
	client := etcdtest.Start(t).InProcess()
	for _, prefix := range []string{"/eu", "eu/west/", "/"} {
		r := newFixture(t, client, etcdstore.Options{Prefix: prefix})
		r.put(runningRecord("game"))
		records, err := r.List(t.Context())
		require.NoError(t, err)
		require.Len(t, records, 1, "the store under %q sees its own game only", prefix)
	}
	all, err := client.Get(t.Context(), "\x00", clientv3.WithFromKey(), clientv3.WithKeysOnly())
	require.NoError(t, err)
	var keys []string
	for _, kv := range all.Kvs {
		keys = append(keys, string(kv.GetKey()))
	}
	var want []string
	for _, prefix := range []string{"/eu", "", "eu/west"} {
		want = append(want, prefix+"/meta/schema", prefix+"/runtimes-by-status/running/game", prefix+"/runtimes/game", prefix+"/transitions/game/01")
	}
	require.Equal(t, want, keys)
}

// newer are members that a newer version might add.
const newer = `"quota":123456789012345678901234567890,"ratio":1.0e+2,"nested":{"a":[1,{"b":null}],"":"<\u0026>"},"z":"é🎲"`

func handWritten(gameID, more string) string {
	return fmt.Sprintf(`{"game_id":%q,"status":"running","current_container_id":"c-1","created_at":"2026-03-01T12:00:00Z",
		"last_op_at":"2026-03-01T12:00:00Z","started_at":"2026-03-01T12:00:00Z"%s}`, gameID, more)
}

func TestUnknownMembersSurviveEveryWrite(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	r.putRaw("/runtimes/game", handWritten("game", ","+newer))
	r.putRaw("/runtimes-by-status/running/game", "c-1")

	r.transition("game", runtime.StatusRunning, runtime.StatusStopped)
	require.Contains(t, r.value("/runtimes/game"), newer, "after a transition")
	r.put(runningRecord("game"))
	require.Contains(t, r.value("/runtimes/game"), newer, "after an upsert")
	r.transition("game", runtime.StatusRunning, runtime.StatusRemoved)
	require.Contains(t, r.value("/runtimes/game"), newer, "after a removal")
	r.requireClean()
}

// TestHandWrittenRecord updates a record without schema and last write, as an operator
// would put it with etcdctl.
func TestHandWrittenRecord(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	revision := r.putRaw("/runtimes/game", handWritten("game", ""))
	r.putRaw("/runtimes-by-status/running/game", "c-1")

	found, err := r.GetVersioned(t.Context(), "game")
	require.NoError(t, err)
	require.Equal(t, revision, found.Revision)
	require.Equal(t, "c-1", found.Record.CurrentContainerID)
	entries, err := r.History(t.Context(), "game")
	require.NoError(t, err)
	require.Empty(t, entries)

	transitioned := r.transition("game", runtime.StatusRunning, runtime.StatusStopped)
	require.Equal(t, "c-1", transitioned.Record.CurrentContainerID)
	require.Equal(t, []string{"/transitions/game/01"}, keysOf(filterKeys(r.dump(), "/transitions/")))
	r.requireClean()
}

// TestInvariantsAtEveryRevision writes a mixed history with many writers. Then it reads
// the whole store at each revision and compares records, index and ledger, without the
// code under test.
func TestInvariantsAtEveryRevision(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than a second")
	}
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := sharedFixture(t)
	games := []string{"a", "a/b", "a%2Fb", "running", "🎲", "a/00"}
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(n)))
			for range 100 {
				writeAnything(t, r, rng, games[rng.IntN(len(games))])
			}
		})
	}
	wg.Wait()

	revisions := map[int64]bool{}
	for _, ev := range r.historyOf("/runtimes/") {
		revisions[ev.Kv.GetModRevision()] = true
	}
	require.Greater(t, len(revisions), 200, "too short a history for a valid test")
	for _, at := range slices.Sorted(maps.Keys(revisions)) {
		requireInvariants(t, at, r.dumpAt(at))
	}
	for _, gameID := range games {
		requireContiguousLedger(t, r, gameID)
	}
	t.Logf("%d revisions read", len(revisions))
}

// writeAnything makes a random write; some conflict.
func writeAnything(t *testing.T, r fixture, rng *rand.Rand, gameID string) {
	statuses := runtime.Statuses()
	from, to := statuses[rng.IntN(2)], statuses[rng.IntN(3)]
	if rng.IntN(3) > 0 {
		_ = r.UpdateStatus(t.Context(), transitionInput(gameID, from, to))
		return
	}
	rec := runningRecord(gameID)
	rec.CurrentContainerID = "container-" + strconv.Itoa(rng.IntN(1000))
	if to != runtime.StatusRunning {
		rec, _ = rec.Apply(to, time.Now())
	}
	if err := r.Upsert(t.Context(), rec); err != nil {
		t.Errorf("upsert %q: %v", gameID, err)
	}
}

// requireInvariants checks the keys of one revision: each record has exactly one index
// key, under its own status and with its own container id; no other index key exists; the
// newest ledger entry describes the record; the ring does not exceed its bound.
func requireInvariants(t *testing.T, at int64, values map[string]rawValue) {
	t.Helper()
	want, newest, ring := map[string]string{}, map[string]string{}, map[string]int{}
	for key, raw := range filterKeys(values, "/runtimes/") {
		var rec struct {
			runtime.RuntimeRecord
			LastWrite storedLastWrite `json:"last_write"`
		}
		require.NoError(t, json.Unmarshal([]byte(raw.value), &rec), "revision %d: %s", at, key)
		segment := strings.TrimPrefix(key, "/runtimes/")
		require.Equal(t, url.PathEscape(rec.GameID), segment, "revision %d: %s", at, key)
		want["/runtimes-by-status/"+string(rec.Status)+"/"+segment] = rec.CurrentContainerID
		slot := fmt.Sprintf("/transitions/%s/%02d", segment, rec.LastWrite.Seq%32)
		newest[slot] = fmt.Sprint(rec.LastWrite.Seq, rec.LastWrite.ID, rec.Status, rec.CurrentContainerID)
	}
	got := map[string]string{}
	for key, raw := range filterKeys(values, "/runtimes-by-status/") {
		got[key] = raw.value
	}
	require.Equal(t, want, got, "the index at revision %d", at)
	for key, raw := range filterKeys(values, "/transitions/") {
		e := entryOf(t, []byte(raw.value))
		if reported, ok := newest[key]; ok {
			require.Equal(t, reported, fmt.Sprint(e.Seq, e.OperationID, e.To, e.ContainerID), "revision %d: %s", at, key)
			delete(newest, key)
		}
		ring[key[:strings.LastIndex(key, "/")]]++
	}
	require.Empty(t, newest, "records at revision %d without their newest ledger entry", at)
	for game, size := range ring {
		require.LessOrEqual(t, size, 32, "revision %d: %s", at, game)
	}
}

func keysOf(values map[string]rawValue) []string { return slices.Sorted(maps.Keys(values)) }
