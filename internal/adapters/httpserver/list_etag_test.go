package httpserver_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// storeWithoutSnapshots copies its records for each list.
type storeWithoutSnapshots struct{ httpserver.Store }

func TestListETag(t *testing.T) {
	t.Parallel()
	shared := start(t, httpserver.Config{})
	copying := startWithStore(t, storeWithoutSnapshots{shared.store}, httpserver.Config{})
	upsert := func(gameID, image string) {
		record := recordOf(gameID)
		record.CurrentImageRef = image
		require.NoError(t, shared.store.Upsert(t.Context(), record))
	}
	get := func(path, tag string) rawResponse {
		t.Helper()
		conditional := "If-None-Match: " + tag + "\r\n"
		first := shared.send("GET", path, conditional, "")
		for _, f := range []*fixture{shared, copying} {
			for _, method := range []string{"GET", "HEAD"} {
				for _, accepted := range []string{"", "Accept-Encoding: gzip\r\n"} {
					got := f.send(method, path, conditional+accepted, "")
					require.Equal(t, first.StatusCode, got.StatusCode, "%s %s", method, accepted)
					// a response that the compressor encodes has a tag of its own, which matches as well
					require.Equal(t, http.StatusNotModified, f.send("GET", path, "If-None-Match: "+got.Header.Get("ETag")+"\r\n", "").StatusCode)
					if got.StatusCode == http.StatusNotModified {
						require.Empty(t, got.body)
						require.Equal(t, first.Header.Get("ETag"), got.Header.Get("ETag"))
						require.NotEmpty(t, got.Header.Get("Rtmanager-As-Of"))
					}
				}
			}
		}
		require.Regexp(t, `^W/"[0-9a-f]{32}"$`, first.Header.Get("ETag"))
		return first
	}
	const filtered = "/v1/runtimes?image=a:1"
	upsert("a", "a:1")
	upsert("c", "a:1")
	seen := map[string]bool{}
	tag := get(filtered, `"0"`).Header.Get("ETag")
	seen[tag] = true
	upsert("b", "b:1")
	require.Equal(t, http.StatusNotModified, get(filtered, tag).StatusCode, "a record that does not match was written")
	for name, change := range map[string]func(){
		"change": func() { upsert("a", "a:1") },
		"insert": func() { upsert("d", "a:1") },
		"leave":  func() { upsert("c", "b:1") },
	} {
		change()
		got := get(filtered, tag)
		require.Equal(t, http.StatusOK, got.StatusCode, name)
		tag = got.Header.Get("ETag")
		require.False(t, seen[tag], name)
		seen[tag] = true
	}
	for _, path := range []string{"/v1/runtimes", "/v1/runtimes?limit=1", "/v1/runtimes?limit=2", "/v1/runtimes?sort=-game_id", "/v1/runtimes?image=b:1"} {
		other := get(path, tag)
		require.Equal(t, http.StatusOK, other.StatusCode, path)
		require.False(t, seen[other.Header.Get("ETag")], path)
		seen[other.Header.Get("ETag")] = true
	}
	page := get("/v1/runtimes?limit=1", `"0"`)
	upsert("z", "b:1")
	require.Equal(t, http.StatusOK, get("/v1/runtimes?limit=1", page.Header.Get("ETag")).StatusCode, "a later page has changed")
}

// A tag of one caller does not match a list with other games of another caller.
func TestListETagOfRoles(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	s.labeled("a", "a")
	s.labeled("b", "b")
	s.labeled("c", "a")
	path, tags := "/v1/runtimes", map[string]bool{}
	for name, grant := range map[string]string{"all": "reader", "team-a": "reader/team=a@eu", "team-b": "reader/team=b@eu"} {
		headers := s.token(name, grant)
		got := s.send("GET", path, headers, "")
		tag := got.Header.Get("ETag")
		require.False(t, tags[tag], name)
		for other := range tags {
			require.Equal(t, http.StatusOK, s.send("GET", path, headers+"If-None-Match: "+other+"\r\n", "").StatusCode)
		}
		tags[tag] = true
		require.Equal(t, http.StatusNotModified, s.send("GET", path, headers+"If-None-Match: "+tag+"\r\n", "").StatusCode)
		if name == "team-a" {
			require.Empty(t, s.send("GET", path+"?limit=1", headers, "").Header.Get("ETag"), "the next page may change with the rights")
		}
	}
}

func TestListETagAfterDeletion(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	removed := recordOf("a")
	removed.Status, removed.StartedAt, removed.CurrentContainerID, removed.RemovedAt = runtime.StatusRemoved, nil, "", &noon
	require.NoError(t, f.store.Upsert(t.Context(), removed))
	tag := f.send("GET", "/v1/runtimes", "", "").Header.Get("ETag")
	require.Equal(t, http.StatusNoContent, f.send("DELETE", "/v1/runtimes/a", "", "").StatusCode)
	got := f.send("GET", "/v1/runtimes", "If-None-Match: "+tag+"\r\n", "")
	require.Equal(t, http.StatusOK, got.StatusCode)
	require.NotEqual(t, tag, got.Header.Get("ETag"))
}

// retainingStore counts the snapshots that are retained.
type retainingStore struct {
	httpserver.Store

	retained atomic.Int64
}

func (s *retainingStore) ReadSnapshot(ctx context.Context, query ports.PageQuery) (ports.RecordSnapshot, error) {
	snapshot, err := s.Store.(ports.SnapshotReader).ReadSnapshot(ctx, query)
	return &countedSnapshot{snapshot, &s.retained}, err
}

type countedSnapshot struct {
	ports.RecordSnapshot

	retained *atomic.Int64
}

func (s *countedSnapshot) Retain() {
	s.retained.Add(1)
	s.RecordSnapshot.Retain()
}

// The store has a limited number of snapshots for the next pages of lists. Clients that poll the first page
// must not displace those of clients that read all pages.
func TestUnchangedListRetainsNoSnapshot(t *testing.T) {
	t.Parallel()
	base := start(t, httpserver.Config{})
	counting := &retainingStore{Store: base.store}
	f := startWithStore(t, counting, httpserver.Config{})
	for _, game := range []string{"a", "b"} {
		require.NoError(t, base.store.Upsert(t.Context(), recordOf(game)))
	}
	first := f.send("GET", "/v1/runtimes?limit=1", "", "")
	require.Equal(t, http.StatusOK, first.StatusCode)
	require.EqualValues(t, 1, counting.retained.Load())
	unchanged := f.send("GET", "/v1/runtimes?limit=1", "If-None-Match: "+first.Header.Get("ETag")+"\r\n", "")
	require.Equal(t, http.StatusNotModified, unchanged.StatusCode)
	require.EqualValues(t, 1, counting.retained.Load())
}
