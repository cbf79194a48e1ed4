package httpserver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// A write that is repeated with its operation id returns the first result and changes
// nothing, with any precondition.
func TestRepeatedPutsReturnTheFirstResult(t *testing.T) {
	t.Parallel()
	for name, condition := range map[string]string{
		"unconditional": "", "one revision": "If-Match: \"2\"\r\n", "a list": "If-Match: \"2\", \"9\"\r\n",
		"a list in two lines": "If-Match: \"9\"\r\nIf-Match: \"2\"\r\n", "any": "If-Match: *\r\n",
	} {
		f := start(t, httpserver.Config{})
		require.NoError(t, f.store.Upsert(t.Context(), recordOf("g")))
		for range 3 {
			got := f.send("PUT", bodyPut, condition+"Idempotency-Key: op\r\n", runningRecord)
			require.Equal(t, http.StatusOK, got.StatusCode, "%s: %s", name, got.body)
			require.Equal(t, `"3"`, got.Header.Get("ETag"), name)
		}
		stale := f.send("PUT", bodyPut, condition+"Idempotency-Key: another\r\n", runningRecord)
		fresh := condition == "" || name == "any"
		require.Equal(t, fresh, stale.StatusCode == http.StatusOK, "%s, with another operation id: %s", name, stale.body)
	}
	f := start(t, httpserver.Config{})
	for range 2 {
		got := f.send("PUT", bodyPut, "If-None-Match: *\r\nIdempotency-Key: op\r\n", runningRecord)
		require.Equal(t, http.StatusOK, got.StatusCode, got.body)
	}
}

// Another request with the key of an earlier write is rejected, as it is for operations.
func TestIdempotencyKeyOfAnotherWriteIsRejected(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	const key = "Idempotency-Key: op\r\n"
	require.Equal(t, http.StatusOK, f.send("PUT", bodyPut, key, runningRecord).StatusCode)
	for _, other := range []struct{ method, path, body string }{
		{"PUT", bodyPut, withMember(runningRecord, "engine_endpoint", `"http://10.0.0.9"`)},
		{"POST", bodyPost, stopChange},
	} {
		got := f.send(other.method, other.path, key, other.body)
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, got.body)
		require.Equal(t, api.CodeIdempotencyKeyReused, got.problem(t).Code)
		contractOf(t, f).requireDocumented(t, other.method, "/v1/runtimes/{game_id}"+strings.TrimPrefix(other.path, bodyPut), got)
	}
	require.Equal(t, http.StatusOK, f.send("PUT", bodyPut, key, runningRecord).StatusCode)

	const stopKey = "Idempotency-Key: stop\r\n"
	for _, at := range []string{`"2026-01-01T00:00:00Z"`, `"2026-01-01T00:00:01Z"`} {
		got := f.send("POST", bodyPost, stopKey, withMember(stopChange, "now", at))
		require.Equal(t, http.StatusOK, got.StatusCode, "a repeated request may have a new time: %s", got.body)
	}
	got := f.send("POST", bodyPost, stopKey, `{"expected_from":"stopped","to":"removed"}`)
	require.Equal(t, api.CodeIdempotencyKeyReused, got.problem(t).Code)
}

// A put cannot contradict the operations of a game, as set-status cannot, unless it is for the
// record only.
func TestPutOfAManagedGameIsRejected(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	_, err := c.store.PutIntent(t.Context(), operation.Intent{GameID: "far", DesiredStatus: runtime.StatusRunning}, ports.IntentVersion{})
	require.NoError(t, err)
	running := recordOn("far", "eu", "n2")
	running.EngineEndpoint = "http://10.0.0.9"
	stopped := running
	stopped.Status, stopped.StoppedAt = runtime.StatusStopped, &noon

	for _, condition := range []string{"", "If-Match: *\r\n"} {
		rejected := c.one.send("PUT", "/v1/runtimes/far", condition, encodeJSON(t, stopped))
		require.Equal(t, http.StatusConflict, rejected.StatusCode, rejected.body)
		p := rejected.problem(t)
		require.Equal(t, api.CodeManaged, p.Code)
		require.Equal(t, "eu n2 stopped", strings.Join([]string{p.Region, p.Node, string(p.To)}, " "))
		require.Contains(t, p.Detail, "use stop,")
		contractOf(t, c.one).requireDocumented(t, "PUT", "/v1/runtimes/far", rejected)
		require.Equal(t, http.StatusConflict, c.one.send("PUT", "/v1/runtimes/far", condition, encodeJSON(t, running)).StatusCode, "the status is the same")
		require.Equal(t, http.StatusOK, c.one.send("PUT", "/v1/runtimes/far?record_only=true", condition, encodeJSON(t, running)).StatusCode, "the record only")
	}
	c.register.leave("n2")
	got := c.one.send("PUT", "/v1/runtimes/far", "", encodeJSON(t, stopped))
	require.Equal(t, http.StatusOK, got.StatusCode, "no node would correct the record: %s", got.body)
}

// The headers of a write are in the ledger as decoded text.
func TestLedgerHasActorAndReason(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	for i, row := range []struct{ actor, want string }{
		{"ops", "ops"}, {"  spaced  ", "spaced"}, {"Jörg", "Jörg"}, {"UTF-8''J%C3%B6rg", "Jörg"}, {"utf-8'de-AT'J%c3%b6rg", "Jörg"},
		{"UTF-8''", ""}, {"UTF-8''%20x%20", " x "}, {"100%", "100%"}, {"O'Neil's", "O'Neil's"}, {"UTF-8 is fine", "UTF-8 is fine"}, {"", ""},
	} {
		headers := "Rtmanager-Actor: " + row.actor + "\r\nRtmanager-Reason: UTF-8''%E2%98%95%20break\r\nIdempotency-Key: op-" + itoa(int64(i)) + "\r\n"
		require.Equal(t, 200, f.send("PUT", bodyPut, headers, runningRecord).StatusCode, row.actor)
		newest := decodeAs[api.History](t, f.send("GET", "/v1/runtimes/g/history", "", "").body).Items[0]
		require.Equal(t, row.want, newest.Actor, "Rtmanager-Actor: %s", row.actor)
		require.Equal(t, "☕ break", newest.Reason)
		require.Equal(t, "op-"+itoa(int64(i)), newest.OperationID)
	}
}

// null is the same as an omitted member, if the member may be omitted.
func TestNullTimesAreAbsent(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	body := withMember(withMember(runningRecord, "stopped_at", "null"), "removed_at", "null")
	got := f.send("PUT", bodyPut, "", body)
	require.Equal(t, 200, got.StatusCode, got.body)
	require.Nil(t, decodeAs[runtime.RuntimeRecord](t, got.body).StoppedAt)
	require.NotContains(t, got.body, "stopped_at")
}

// Times are accepted in any zone and returned in UTC, to the nanosecond.
func TestTimesAreReturnedInUTC(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	got := f.send("PUT", bodyPut, "", withMember(runningRecord, "started_at", `"2026-01-01T02:00:00.123456789+02:00"`))
	require.Contains(t, got.body, `"started_at":"2026-01-01T00:00:00.123456789Z"`)
	changed := f.send("POST", bodyPost, "", withMember(stopChange, "now", `"2026-01-02T03:04:05.000000006-07:00"`))
	require.Contains(t, changed.body, `"stopped_at":"2026-01-02T10:04:05.000000006Z"`)
}

// A rejected transition names its statuses, and a conflict names the expected value and
// the winner.
func TestRejectedTransitionsHaveReasons(t *testing.T) {
	t.Parallel()
	f := startWithRecords(t, httpserver.Config{})
	pair := f.send("POST", bodyPost, "", `{"expected_from":"removed","to":"running"}`).problem(t)
	require.Equal(t, "removed running", string(pair.From+" "+pair.To))
	require.Contains(t, pair.Detail, "has no transitions")
	container := f.send("POST", bodyPost, "", withMember(stopChange, "expected_container_id", `"old"`)).problem(t)
	require.Equal(t, "container_id old c-g", string(container.Precondition)+" "+container.Expected+" "+container.Actual)
	require.Equal(t, recordOf("g"), *container.Current)
	require.Equal(t, int64(2), container.Revision)
	stale := f.send("PUT", bodyPut, "If-Match: \"9\"\r\n", runningRecord).problem(t)
	require.Equal(t, "revision 9 2", string(stale.Precondition)+" "+stale.Expected+" "+stale.Actual)
	require.Equal(t, recordOf("g"), *stale.Current)
	listed := f.send("PUT", bodyPut, "If-Match: \"8\", \"9\"\r\n", runningRecord).problem(t)
	require.Equal(t, "revision 2", string(listed.Precondition)+" "+listed.Actual)
}

// The media types by which programs send JSON, including the default of curl.
func TestAcceptedContentTypes(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	for _, headers := range []string{
		"", "Content-Type: \r\n", "Content-Type: application/json\r\n", "Content-Type: Application/JSON; charset=utf-8\r\n",
		"Content-Type: application/x-www-form-urlencoded\r\n", "Content-Encoding: identity\r\n", "Content-Encoding: \r\n",
	} {
		got := f.send("PUT", bodyPut, headers, runningRecord)
		require.Equal(t, 200, got.StatusCode, "%q: %s", headers, got.body)
	}
}

// A record-only stop or removal clears the endpoint, because nothing runs. Another one keeps it.
func TestRecordOnlyStopClearsTheEndpoint(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	running := recordOn("g", "eu", "n1")
	running.EngineEndpoint, running.CurrentContainerID = "http://10.0.0.9", "c1"
	for path, want := range map[string]string{"/v1/runtimes/g/status": "http://10.0.0.9", "/v1/runtimes/g/status?record_only=true": ""} {
		require.NoError(t, f.store.Upsert(t.Context(), running))
		got := f.send("POST", path, "", stopChange)
		require.Equal(t, 200, got.StatusCode, got.body)
		require.Equal(t, want, decodeAs[runtime.RuntimeRecord](t, got.body).EngineEndpoint, path)
	}
}
