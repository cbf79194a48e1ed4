package httpclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// requireOnly requires that err matches the sentinel of the domain and no other; nil
// means no sentinel at all.
func requireOnly(t *testing.T, want, err error) {
	t.Helper()
	require.Error(t, err)
	for _, sentinel := range sentinels() {
		require.Equal(t, sentinel == want, errors.Is(err, sentinel), "%v: is it %q? want %v", err, sentinel, want) //nolint:errorlint // identity is meant
	}
}

func sentinels() []error {
	return []error{
		runtime.ErrNotFound, runtime.ErrConflict, runtime.ErrInvalidTransition, runtime.ErrInvalid, runtime.ErrFenced,
		runtime.ErrOutcomeUnknown, runtime.ErrCompacted, runtime.ErrForeignRevision, runtime.ErrCorrupt, runtime.ErrReadOnly,
		runtime.ErrUnavailable, runtime.ErrIncompatible, container.ErrEngineUnavailable, container.ErrNoImage, operation.ErrBusy, operation.ErrRejected,
		operation.ErrStartFailed, node.ErrUnreachable,
	}
}

// failingStore is a store whose calls fail, except Info.
type failingStore struct {
	*memstore.Store
	err func() error
}

func (s failingStore) GetVersioned(context.Context, string) (runtime.VersionedRecord, error) {
	return runtime.VersionedRecord{}, s.err()
}

func (failingStore) ReadSnapshot(context.Context, ports.PageQuery) (ports.RecordSnapshot, error) {
	return nil, nil
}

func (s failingStore) ListPage(context.Context, ports.PageQuery) (ports.Page, error) {
	return ports.Page{}, s.err()
}

func (s failingStore) Put(context.Context, ports.PutInput) (runtime.VersionedRecord, error) {
	return runtime.VersionedRecord{}, s.err()
}

func (s failingStore) Transition(context.Context, ports.TransitionInput) (runtime.VersionedRecord, error) {
	return runtime.VersionedRecord{}, s.err()
}

func (s failingStore) History(context.Context, string) ([]runtime.LedgerEntry, error) {
	return nil, s.err()
}

func (s failingStore) Check(context.Context, bool) (ports.CheckReport, error) {
	return ports.CheckReport{}, s.err()
}

// clientOfFailingStore serves a store that fails with fails() and returns its client.
func clientOfFailingStore(t *testing.T, cfg httpclient.Config, fails func() error) *httpclient.Client {
	t.Helper()
	api, err := httpserver.New(failingStore{memstore.New(), fails}, httpserver.Config{})
	require.NoError(t, err)
	server := httptest.NewServer(api.Handler())
	client, err := httpclient.New(server.URL, cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, client.Close())
		server.Close()
	})
	return client
}

// The client returns the error of the server's store: the same sentinel, and the same
// details if the error has any.
func TestErrorsAreTransferredUnchanged(t *testing.T) {
	t.Parallel()
	conflict := func(e runtime.Precondition) error {
		return &runtime.ConflictError{GameID: "old", Precondition: e, Expected: "a", Actual: "b", Current: running("old"), Revision: 7}
	}
	games, values := []string{"get", "history", "transition"}, []string{"get", "put", "transition"}
	every := []string{"get", "list", "history", "put", "transition", "check", "repair"}
	for _, row := range []struct {
		err      error
		sentinel error
		calls    []string
	}{
		{runtime.ErrNotFound, runtime.ErrNotFound, games},
		{conflict(runtime.PreconditionStatus), runtime.ErrConflict, []string{"transition"}},
		{conflict(runtime.PreconditionContainerID), runtime.ErrConflict, []string{"transition"}},
		{conflict(runtime.PreconditionRevision), runtime.ErrConflict, []string{"put"}},
		{&runtime.ConflictError{GameID: "old", Precondition: runtime.PreconditionRevision, Expected: "3", Actual: "0"}, runtime.ErrConflict, []string{"put"}},
		{&runtime.TransitionError{From: "removed", To: "running"}, runtime.ErrInvalidTransition, []string{"transition"}},
		{&runtime.InvalidError{Field: "region", Reason: "is invalid"}, runtime.ErrInvalid, []string{"put"}},
		{&runtime.InvalidError{Field: "record", Reason: "is too large"}, runtime.ErrInvalid, []string{"put"}},
		{&runtime.InvalidError{Field: "limit", Reason: "is invalid"}, runtime.ErrInvalid, []string{"list"}},
		{errors.Join(&runtime.InvalidError{Field: "region", Reason: "is invalid"}, &runtime.InvalidError{Field: "node", Reason: "too"}), runtime.ErrInvalid, []string{"put"}},
		{runtime.ErrFenced, runtime.ErrFenced, []string{"transition"}},
		{runtime.ErrCompacted, runtime.ErrCompacted, []string{"list"}},
		{runtime.ErrForeignRevision, runtime.ErrForeignRevision, []string{"list"}},
		{&runtime.CorruptError{Key: "/runtimes/old", GameID: "old", Reason: "is not JSON"}, runtime.ErrCorrupt, values},
		{runtime.ErrReadOnly, runtime.ErrReadOnly, []string{"put", "transition", "repair"}},
		{runtime.ErrUnavailable, runtime.ErrUnavailable, every},
		{context.DeadlineExceeded, runtime.ErrUnavailable, every},
		{runtime.ErrIncompatible, runtime.ErrIncompatible, every},
		{errors.New("an error without a code"), nil, []string{"get", "list", "history", "check"}},
	} {
		client := clientOfFailingStore(t, fastRetries(), func() error { return row.err })
		for _, call := range row.calls {
			err := everyCall()[call](t.Context(), client)
			requireOnly(t, row.sentinel, err)
			if hasDetails(row.err) {
				require.Equal(t, row.err, err, "%s of a store that fails with %v", call, row.err)
			}
		}
	}
}

func hasDetails(err error) bool {
	switch err.(type) { //nolint:errorlint // the table above contains them
	case *runtime.ConflictError, *runtime.TransitionError, *runtime.InvalidError, *runtime.CorruptError, *operation.BusyError, *operation.RejectedError, interface{ Unwrap() []error }:
		return true
	}
	return false
}

// A write whose outcome the server does not know is retried until the context ends.
func TestUnknownOutcomeIsRetriedUntilTheContextEnds(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"put", "transition"} {
		ctx, cancel := context.WithCancel(t.Context())
		var attempts atomic.Int64
		client := clientOfFailingStore(t, fastRetries(), func() error {
			if attempts.Add(1) == 3 {
				cancel()
			}
			return fmt.Errorf("commit: %w", runtime.ErrOutcomeUnknown)
		})
		err := everyCall()[call](ctx, client)
		cancel()
		requireOnly(t, runtime.ErrOutcomeUnknown, err)
		require.ErrorIs(t, err, context.Canceled, call)
		require.EqualValues(t, 3, attempts.Load(), "%s: attempts", call)
	}
}
