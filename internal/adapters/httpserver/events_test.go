package httpserver_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/gameevent"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// changeCondition changes the condition of a game.
func changeCondition(t *testing.T, store *memstore.Store, gameID string, change func(*runtime.Condition)) {
	t.Helper()
	found, err := store.GetVersioned(t.Context(), gameID)
	require.NoError(t, err)
	condition := found.Record.Condition.Clone()
	change(&condition)
	_, err = store.SetCondition(t.Context(), ports.ConditionInput{GameID: gameID, IfRevision: found.Revision, Condition: condition})
	require.NoError(t, err)
}

// gameEvent reads the next event.
func (s *watchReader) gameEvent() (api.GameEvent, element) {
	s.t.Helper()
	e := s.next()
	raw := e.raw
	if s.sse {
		_, raw, _ = strings.Cut(raw, "data: ")
	}
	return decodeAs[api.GameEvent](s.t, raw), e
}

// A stream starts at the current revision, and describes each change with what the ledger and the outcomes know.
func TestEvents(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{Intents: fakeIntents{}})
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("before")))
	open := map[string]*watchReader{}
	for name, headers := range bothFormats {
		open[name] = f.stream("/v1/events", headers)
		open[name].expect("bookmark 2")
	}
	_, err := f.store.Put(t.Context(), ports.PutInput{Record: recordOf("busy"), Origin: ports.Origin{Actor: "ada", Reason: "new", OperationID: "op1"}})
	require.NoError(t, err)
	changeCondition(t, f.store, "busy", func(c *runtime.Condition) {
		c.Operation = &runtime.OperationInProgress{ID: "finished", Kind: "stop", StartedAt: noon}
	})
	changeCondition(t, f.store, "busy", func(c *runtime.Condition) {
		c.Operation = nil
		*c = c.WithHealth(runtime.HealthHealthy, noon)
	})
	require.NoError(t, f.store.UpdateStatus(t.Context(), ports.UpdateStatusInput{GameID: "busy", ExpectedFrom: runtime.StatusRunning, ExpectedContainerID: "c-busy", To: runtime.StatusStopped, Now: noon}))
	for name, s := range open {
		created, e := s.gameEvent()
		require.Equal(t, "created busy 3", e.brief())
		require.Equal(t, []string{"ada", "new", "op1", "eu", "n1", "created as running: new"}, []string{created.Actor, created.Reason, created.OperationID, created.Region, created.Node, created.Text})
		require.True(t, created.Last)
		started, e := s.gameEvent()
		require.Equal(t, "operation_started busy 4", e.brief())
		require.Equal(t, []string{"finished", "stop"}, []string{started.OperationID, started.OperationKind})
		var last element
		for i, want := range []string{"health_changed busy 5", "ready_changed busy 5", "operation_finished busy 5"} {
			event, e := s.gameEvent()
			require.Equal(t, want, e.brief())
			require.Equal(t, i == 2, event.Last, "only the last event of a revision")
			if s.sse {
				require.Equal(t, i == 2, e.id != "", name)
			}
			if i == 2 {
				last = e
				require.Equal(t, []string{"failed", "engine_unavailable", "away", "stop has failed: away"}, []string{string(event.Result), event.FailureCode, event.Failure, event.Text})
			}
		}
		require.Equal(t, []string{"status_changed busy 6", "ready_changed busy 6"}, []string{s.next().brief(), s.next().brief()})
		resumed := f.stream("/v1/events", "Last-Event-ID: "+orRevision(last.id, 5)+"\r\n"+bothFormats[name])
		resumed.expect("status_changed busy 6", "ready_changed busy 6")
	}
}

func orRevision(id string, revision int) string {
	if id == "" {
		return fmt.Sprint(revision)
	}
	return id
}

// A filter of types hides events, and the position of the client advances nevertheless.
func TestEventsOfATypeAdvanceThePosition(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{Heartbeat: 20 * time.Millisecond})
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("g")))
	for _, headers := range bothFormats {
		s := f.stream("/v1/events?from_revision=1&type=deleted", headers)
		bookmark, e := s.gameEvent()
		for bookmark.Revision != 2 {
			bookmark, e = s.gameEvent() // the heartbeat of NDJSON
		}
		require.True(t, bookmark.Last)
		require.Equal(t, s.sse, e.id != "")
	}
	require.Equal(t, 400, f.send("GET", "/v1/events?type=upserted", "", "").StatusCode)
}

// One revision of several games has its position after the last event, also if that event is hidden.
func TestEventsOfABatch(t *testing.T) {
	t.Parallel()
	running, stopped := recordOf("a"), recordOf("a")
	stopped.Status, stopped.StoppedAt = runtime.StatusStopped, &noon
	labeled := recordOf("b")
	labeled.Labels = map[string]string{"a": "b"}
	plain := recordOf("b")
	store := newScriptedStore(
		watchStep{event: ports.RuntimeEvent{Type: ports.EventTransitioned, Revision: 7, GameID: "a", Before: &running, After: &stopped}},
		watchStep{event: ports.RuntimeEvent{Type: ports.EventUpserted, Revision: 7, GameID: "b", Before: &plain, After: &labeled, Last: true}},
		watchStep{event: ports.RuntimeEvent{Type: ports.EventUpserted, Revision: 8, GameID: "b", Before: &labeled, After: &labeled, Last: true}},
		watchStep{event: ports.RuntimeEvent{Type: ports.EventResync, Revision: 9, Reason: ports.ResyncCompacted}},
		watchStep{event: ports.RuntimeEvent{Type: ports.EventSnapshot, Revision: 9, GameID: "b", After: &labeled}},
		watchStep{event: ports.RuntimeEvent{Type: ports.EventDeleted, Revision: 9, GameID: "a", Before: &stopped}},
		watchStep{event: ports.RuntimeEvent{Type: ports.EventSynced, Revision: 9, Last: true}},
	)
	f := startWithStore(t, store, httpserver.Config{})
	for _, headers := range bothFormats {
		s := f.stream("/v1/events?from_revision=6&type=status_changed&type=deleted", headers)
		changed, _ := s.gameEvent()
		require.Equal(t, "running → stopped", changed.Text)
		require.False(t, changed.Last)
		s.expect("bookmark 7")
		resync, _ := s.gameEvent()
		require.Equal(t, []string{"resync", "compacted"}, []string{resync.Type, resync.Reason})
		s.expect("deleted a 9", "bookmark 9")
	}
}

func TestEventsOfACompactedRevision(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{OpenDelay: testTimeout})
	for range 3 {
		require.NoError(t, f.store.Upsert(t.Context(), recordOf("g")))
	}
	require.NoError(t, f.store.Compact(4))
	require.Equal(t, 410, f.send("GET", "/v1/events?from_revision=2", "", "").StatusCode)
	f.stream("/v1/events?from_revision=2&resync=true", "").expect("resync 2", "bookmark 4")
}

// A caller receives the events of its games only.
func TestEventsOfACallersGames(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	headers := s.token("ci", "reader@eu")
	events := s.stream("/v1/events", headers+ndjson)
	events.expect("bookmark 1")
	require.NoError(t, s.store.Upsert(t.Context(), recordOn("far", "us", "n1")))
	require.NoError(t, s.store.Upsert(t.Context(), recordOn("near", "eu", "n1")))
	events.expect("created near 3")
}

func TestEventsAreLimited(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{MaxStreams: 1})
	f.stream("/v1/events", "").expect("bookmark 1")
	require.Equal(t, 429, f.send("GET", "/v1/events", "", "").StatusCode)
	require.Equal(t, 429, f.send("GET", "/v1/watch", "", "").StatusCode)
}

// The document has every type of events.
func TestOpenAPIDescribesGameEvents(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	c := contractOf(t, f)
	var types []any
	for _, eventType := range gameevent.Types() {
		types = append(types, string(eventType))
	}
	schema := memberAt(c.document, "components", "schemas", "GameEvent", "properties", "type")
	require.Equal(t, append(types, "bookmark", "resync", "error"), schema["enum"])
	for range 2 {
		require.NoError(t, f.store.Upsert(t.Context(), recordOf("g")))
	}
	s := f.stream("/v1/events?from_revision=1", ndjson)
	c.requireValid(t, s.next().raw, "components", "schemas", "GameEvent")
}
