package httpserver_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// internalDetail is a text of a store's error that a client must not see.
const internalDetail = "dial 10.0.0.7:2379 as root"

// An error that ends a watch is an error status if the stream has not started, and the
// last element of the stream otherwise.
func TestWatchEndsWithItsReason(t *testing.T) {
	t.Parallel()
	synced := watchStep{event: ports.RuntimeEvent{Type: ports.EventSynced, Revision: 5, Last: true}}
	for _, row := range []struct {
		err    error
		status int
		code   api.Code
	}{
		{runtime.ErrCompacted, 410, api.CodeCompacted},
		{runtime.ErrForeignRevision, 400, api.CodeForeignRevision},
		{&runtime.InvalidError{Field: "game_id", Reason: "is odd"}, 400, api.CodeInvalid},
		{fmt.Errorf("%s: %w", internalDetail, runtime.ErrUnavailable), 503, api.CodeUnavailable},
		{fmt.Errorf("%s: %w", internalDetail, runtime.ErrIncompatible), 503, api.CodeIncompatible},
		{errors.New(internalDetail), 500, api.CodeInternal},
		{context.DeadlineExceeded, 503, api.CodeUnavailable},
	} {
		early := startWithStore(t, newScriptedStore(watchStep{err: row.err}), httpserver.Config{OpenDelay: testTimeout})
		got := early.send("GET", "/v1/watch", "", "")
		require.Equal(t, row.status, got.StatusCode, "%v before the stream: %s", row.err, got.body)
		require.Equal(t, row.code, got.problem(t).Code, "%v before the stream", row.err)
		require.Equal(t, row.status == http.StatusServiceUnavailable, got.Header.Get("Retry-After") != "", "Retry-After of %v", row.err)
		require.NotContains(t, got.body, internalDetail)

		for _, headers := range bothFormats {
			s := startWithStore(t, newScriptedStore(synced, watchStep{err: row.err}), httpserver.Config{}).watch("", headers)
			s.expect("synced 5")
			last := s.next()
			require.Equal(t, "error", last.Type, "%v in the stream: %s", row.err, last.raw)
			require.Equal(t, row.code, last.Error.Code, "%v in the stream: %s", row.err, last.raw)
			require.Equal(t, row.status, last.Error.Status)
			require.True(t, *last.Final, last.raw)
			require.Empty(t, last.id, last.raw)
			require.False(t, last.Last, last.raw)
			require.NotContains(t, last.raw, internalDetail)
			s.end()
		}
	}
}

// A value that cannot be decoded is reported, and the stream continues.
func TestWatchContinuesAfterACorruptValue(t *testing.T) {
	t.Parallel()
	corruptStep := watchStep{
		event: ports.RuntimeEvent{Revision: 5, GameID: "g"},
		err:   &runtime.CorruptError{Key: "/runtimes/g", GameID: "g", Reason: "is not JSON"},
	}
	synced := watchStep{event: ports.RuntimeEvent{Type: ports.EventSynced, Revision: 6, Last: true}}
	for _, headers := range bothFormats {
		f := startWithStore(t, newScriptedStore(corruptStep, synced), httpserver.Config{})
		s := f.watch("", headers)
		reported := s.expect("error g 5", "synced 6")[0]
		require.False(t, *reported.Final, reported.raw)
		require.Empty(t, reported.id, reported.raw)
		require.Equal(t, api.CodeCorrupt, reported.Error.Code)
		require.Equal(t, "/runtimes/g g is not JSON", strings.Join([]string{reported.Error.Key, reported.Error.GameID, reported.Error.Reason}, " "))
		contractOf(t, f).requireValid(t, encodeJSON(t, reported.Event), "components", "schemas", "Event")
	}
}

// panickingWatch is a store whose watches violate their contract.
type panickingWatch struct {
	*memstore.Store
	seq iter.Seq2[ports.RuntimeEvent, error]
}

func (s *panickingWatch) Watch(context.Context, ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return s.seq
}

// A watch that violates its contract ends its own stream and nothing else.
func TestWatchesThatViolateTheirContract(t *testing.T) {
	t.Parallel()
	synced := ports.RuntimeEvent{Type: ports.EventSynced, Revision: 5, Last: true}
	for name, broken := range map[string]struct {
		seq  iter.Seq2[ports.RuntimeEvent, error]
		code api.Code
	}{
		"panics":                {func(yield func(ports.RuntimeEvent, error) bool) { yield(synced, nil); panic(internalDetail) }, api.CodeInternal},
		"ends without a reason": {func(yield func(ports.RuntimeEvent, error) bool) { yield(synced, nil) }, api.CodeUnavailable},
		"ends without an error": {func(yield func(ports.RuntimeEvent, error) bool) {
			yield(synced, nil)
			yield(ports.RuntimeEvent{}, context.Canceled)
		}, api.CodeUnavailable},
	} {
		f := startWithStore(t, &panickingWatch{memstore.New(), broken.seq}, httpserver.Config{})
		s := f.watch("", "")
		s.expect("synced 5")
		last := s.next()
		require.Equal(t, broken.code, last.Error.Code, "a watch that %s: %s", name, last.raw)
		require.True(t, *last.Final)
		require.NotContains(t, last.raw, internalDetail)
		s.end()
		require.Equal(t, 200, f.send("GET", "/v1/runtimes", "", "").StatusCode, "the server continues to serve after a watch that %s", name)
	}
	early := startWithStore(t, &panickingWatch{memstore.New(), func(func(ports.RuntimeEvent, error) bool) { panic(internalDetail) }}, httpserver.Config{OpenDelay: testTimeout})
	got := early.send("GET", "/v1/watch", "", "")
	require.Equal(t, http.StatusInternalServerError, got.StatusCode, got.body)
	require.Equal(t, api.CodeInternal, got.problem(t).Code)
}
