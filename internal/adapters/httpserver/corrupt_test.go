package httpserver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// corruptStore is a store with values that cannot be decoded.
type corruptStore struct {
	*memstore.Store
	entries []runtime.LedgerEntry
	err     error
}

var corruptErrors = []*runtime.CorruptError{
	{Key: "/runtimes/a", GameID: "a", Reason: "is not JSON"},
	{Key: "/runtimes/%zz", Reason: "is no key of a game"},
}

func (*corruptStore) ReadSnapshot(context.Context, ports.PageQuery) (ports.RecordSnapshot, error) {
	return nil, nil
}

func (s *corruptStore) ListPage(context.Context, ports.PageQuery) (ports.Page, error) {
	return ports.Page{Revision: 7, Records: []runtime.VersionedRecord{{Record: recordOf("b"), Revision: 5}}, Corrupt: corruptErrors}, nil
}

func (s *corruptStore) History(context.Context, string) ([]runtime.LedgerEntry, error) {
	return s.entries, s.err
}

// Corrupt values are reported together with the valid ones.
func TestCorruptValuesAreReported(t *testing.T) {
	t.Parallel()
	both := fmt.Errorf("history of g: %w", errors.Join(corruptErrors[0], fmt.Errorf("slot 3: %w", corruptErrors[1])))
	f := startWithStore(t, &corruptStore{memstore.New(), []runtime.LedgerEntry{{Seq: 2, To: "running", At: noon}}, errors.Join(corruptErrors[0], corruptErrors[1])}, httpserver.Config{})
	c := contractOf(t, f)
	list := f.send("GET", "/v1/runtimes", "", "")
	page := decodeAs[api.Page](t, list.body)
	require.Len(t, page.Items, 1)
	require.Equal(t, api.CorruptFrom(corruptErrors), page.Corrupt)
	c.requireDocumented(t, "GET", "/v1/runtimes", list)
	history := f.send("GET", "/v1/runtimes/g/history", "", "")
	require.Equal(t, http.StatusOK, history.StatusCode, history.body)
	require.Equal(t, api.CorruptFrom(corruptErrors), decodeAs[api.History](t, history.body).Corrupt)
	c.requireDocumented(t, "GET", "/v1/runtimes/g/history", history)

	wrapped := startWithStore(t, &corruptStore{memstore.New(), []runtime.LedgerEntry{}, both}, httpserver.Config{}).send("GET", "/v1/runtimes/g/history", "", "")
	require.Equal(t, api.CorruptFrom(corruptErrors), decodeAs[api.History](t, wrapped.body).Corrupt, "corrupt values in a wrapped error: %s", wrapped.body)
}

// A history without a valid entry, or with another error, is an error.
func TestHistoryThatCannotBeDecoded(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		store  corruptStore
		status int
		code   api.Code
	}{
		"the record is corrupt": {corruptStore{memstore.New(), nil, corruptErrors[0]}, 500, api.CodeCorrupt},
		"the store fails too":   {corruptStore{memstore.New(), []runtime.LedgerEntry{}, errors.Join(corruptErrors[0], runtime.ErrUnavailable)}, 503, api.CodeUnavailable},
	} {
		f := startWithStore(t, &row.store, httpserver.Config{})
		got := f.send("GET", "/v1/runtimes/g/history", "", "")
		require.Equal(t, row.status, got.StatusCode, "%s: %s", name, got.body)
		require.Equal(t, row.code, got.problem(t).Code, name)
		contractOf(t, f).requireDocumented(t, "GET", "/v1/runtimes/g/history", got)
	}
}

// contendedStore is a store in which another writer changes the record before each of
// the first writes.
type contendedStore struct {
	*memstore.Store
	rivals int
}

func (s *contendedStore) Put(ctx context.Context, input ports.PutInput) (runtime.VersionedRecord, error) {
	if s.rivals > 0 {
		s.rivals--
		if err := s.Upsert(ctx, recordOf(input.Record.GameID)); err != nil {
			return runtime.VersionedRecord{}, err
		}
	}
	return s.Store.Put(ctx, input)
}

// If-Match: * requires a record, and not that no other writer is active.
func TestIfMatchAnyRetriesAfterOtherWriters(t *testing.T) {
	t.Parallel()
	store := &contendedStore{memstore.New(), 3}
	require.NoError(t, store.Upsert(t.Context(), recordOf("g")))
	f := startWithStore(t, store, httpserver.Config{})
	got := f.send("PUT", bodyPut, "If-Match: *\r\n", runningRecord)
	require.Equal(t, http.StatusOK, got.StatusCode, got.body)
	require.Equal(t, `"6"`, got.Header.Get("ETag"), "after the first write and three of other writers")
	lost := startWithStore(t, &contendedStore{store.Store, 1}, httpserver.Config{}).send("PUT", bodyPut, "If-Match: \"6\", \"5\"\r\n", runningRecord)
	require.Equal(t, http.StatusPreconditionFailed, lost.StatusCode, "the revision of the other writer is not in the list: %s", lost.body)
}
