package listcache_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/listcache"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/storetest"
)

// fill writes games with the numbers to the store.
func fill(t testing.TB, store *memstore.Store, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		record := storetest.NewRecord(fmt.Sprintf("game <%05d>", n), runtime.Statuses()[n%3])
		record.Region = []string{"eu", "us"}[n%2]
		require.NoError(t, store.Upsert(t.Context(), record))
	}
}

func snapshotOf(t testing.TB, store *memstore.Store) ports.RecordSnapshot {
	t.Helper()
	snapshot, err := store.ReadSnapshot(t.Context(), ports.PageQuery{})
	require.NoError(t, err)
	return snapshot
}

// bodies returns the plain and the compressed response of a page, the latter after decompression.
func bodies(t testing.TB, page *listcache.Page, envelope api.Page) (plain, decompressed string) {
	t.Helper()
	document := api.Encode(envelope)
	write := func(body *listcache.Body, err error) []byte {
		require.NoError(t, err)
		var output bytes.Buffer
		n, err := body.WriteTo(&output)
		require.NoError(t, err)
		require.EqualValues(t, body.Len(), n)
		require.Equal(t, body.Len(), output.Len())
		return output.Bytes()
	}
	plain = string(write(page.Body(document)))
	reader, err := gzip.NewReader(bytes.NewReader(write(page.CompressedBody(document))))
	require.NoError(t, err)
	reader.Multistream(false)
	text, err := io.ReadAll(reader)
	require.NoError(t, err, "one stream with the right checksum")
	return plain, string(text)
}

// requireSamePage compares the page of a query with an encoding of the page that ListPage returns.
func requireSamePage(t testing.TB, cache *listcache.Cache, store *memstore.Store, query ports.PageQuery) (next string) {
	t.Helper()
	want, err := store.ListPage(t.Context(), query)
	require.NoError(t, err)
	page, err := cache.Page(snapshotOf(t, store), query)
	require.NoError(t, err)
	require.Equal(t, want.Next, page.Next)
	envelope := api.PageFrom(want)
	envelope.Continue = want.Next
	expected := string(api.Encode(envelope))
	envelope.Items, envelope.ItemRevisions = []runtime.RuntimeRecord{}, []int64{}
	plain, decompressed := bodies(t, page, envelope)
	require.Equal(t, expected, plain)
	require.Equal(t, expected, decompressed)
	return want.Next
}

// queries are the ones that TestPagesEqualEncodings repeats.
var queries = []ports.PageQuery{
	{Limit: 1000}, {Limit: 70}, {Limit: 1}, {Limit: 1000, Order: ports.RecordOrder{Field: "status", Descending: true}},
	{Limit: 100, RecordFilter: ports.RecordFilter{Regions: []string{"eu"}}}, {Limit: 100, RecordFilter: ports.RecordFilter{Ready: new(true)}},
	{Limit: 100, RecordFilter: ports.RecordFilter{Ready: new(false)}}, {Limit: 10, RecordFilter: ports.RecordFilter{Regions: []string{"none"}}},
	{Limit: 10, RecordFilter: ports.RecordFilter{Visible: new(access.Visibility)}},
}

func TestPagesEqualEncodings(t *testing.T) {
	t.Parallel()
	store, cache, rng := memstore.New(), listcache.New(listcache.DefaultMaxBytes), rand.New(rand.NewPCG(1, 2))
	for _, query := range queries {
		requireSamePage(t, cache, store, query)
	}
	fill(t, store, 0, 300)
	for range 4 {
		for _, query := range queries {
			for query.After = requireSamePage(t, cache, store, query); query.After != "" && rng.IntN(4) > 0; {
				query.After = requireSamePage(t, cache, store, query)
			}
		}
		fill(t, store, 300+rng.IntN(50), 360)
		store.DeleteKeys(fmt.Sprintf("game <%05d>", rng.IntN(300)))
		n := rng.IntN(300)
		fill(t, store, n, n+rng.IntN(3))
	}
}

func TestAPageThatDoesNotChangeIsEncodedAndCompressedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // so that nothing expires
		store, cache := memstore.New(), listcache.New(listcache.DefaultMaxBytes)
		fill(t, store, 0, 1000)
		snapshot := snapshotOf(t, store)
		list := func(query ports.PageQuery) {
			page, err := cache.Page(snapshot, query)
			require.NoError(t, err)
			_, err = page.CompressedBody(api.Encode(api.Page{Items: []runtime.RuntimeRecord{}, ItemRevisions: []int64{}}))
			require.NoError(t, err)
		}
		var clients sync.WaitGroup
		for range 20 {
			clients.Go(func() {
				list(ports.PageQuery{Limit: 10_000})
				list(ports.PageQuery{Limit: 10_000, RecordFilter: ports.RecordFilter{Regions: []string{"eu"}}})
				list(ports.PageQuery{Limit: 10_000, Order: ports.RecordOrder{Field: "game_id", Descending: true}})
			})
		}
		clients.Wait()
		first := cache.Stats()
		require.EqualValues(t, 1000, first.EncodedRecords, "of three queries and 60 requests")
		require.Equal(t, 1000, first.Records)
		require.Equal(t, 3, first.Pages)

		fill(t, store, 500, 501)
		snapshot = snapshotOf(t, store)
		for range 10 {
			list(ports.PageQuery{Limit: 10_000})
		}
		second := cache.Stats()
		require.EqualValues(t, first.EncodedRecords+1, second.EncodedRecords)
		require.EqualValues(t, first.CompressedChunks+1, second.CompressedChunks, "one chunk has changed")
	})
}

func TestUnusedEntriesAreDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, cache := memstore.New(), listcache.New(listcache.DefaultMaxBytes)
		fill(t, store, 0, 300)
		snapshot, query := snapshotOf(t, store), ports.PageQuery{Limit: 1000}
		for range 30 { // longer than anything is kept
			page, err := cache.Page(snapshot, query)
			require.NoError(t, err)
			bodies(t, page, api.Page{Items: []runtime.RuntimeRecord{}, ItemRevisions: []int64{}})
			time.Sleep(10 * time.Second)
		}
		used := cache.Stats()
		require.EqualValues(t, 300, used.EncodedRecords, "it is in use")
		time.Sleep(45 * time.Second)
		require.Zero(t, cache.Stats().Pages)
		require.Equal(t, 300, cache.Stats().Records)
		time.Sleep(time.Minute)
		require.Equal(t, listcache.Stats{EncodedRecords: used.EncodedRecords, CompressedChunks: used.CompressedChunks}, cache.Stats())
	})
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const maxBytes = 100_000
	store, cache := memstore.New(), listcache.New(maxBytes)
	fill(t, store, 0, 300)
	for n := range 15 {
		query := ports.PageQuery{Limit: 100 + n%3}
		for {
			query.After = requireSamePage(t, cache, store, query)
			require.LessOrEqual(t, cache.Stats().Bytes, maxBytes)
			if query.After == "" {
				break
			}
		}
		fill(t, store, n, n+1)
	}
	require.Positive(t, cache.Stats().Bytes)
}

// brokenSnapshot has no page, or a record that has no JSON.
type brokenSnapshot struct {
	ports.RecordSnapshot
	err error
}

func (s brokenSnapshot) Contents() any { return 1 }

func (s brokenSnapshot) Page(ports.PageQuery) (ports.SharedPage, error) {
	record := storetest.RunningRecord("a")
	record.CreatedAt = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	return ports.SharedPage{Records: []ports.SharedRecord{{Record: &record}}}, s.err
}

func TestAnErrorIsNotKept(t *testing.T) {
	t.Parallel()
	store, cache := memstore.New(), listcache.New(listcache.DefaultMaxBytes)
	fill(t, store, 0, 1)
	broken := errors.New("broken")
	_, err := cache.Page(brokenSnapshot{snapshotOf(t, store), broken}, ports.PageQuery{Limit: 1})
	require.ErrorIs(t, err, broken)
	_, err = cache.Page(brokenSnapshot{snapshotOf(t, store), nil}, ports.PageQuery{Limit: 1})
	require.ErrorContains(t, err, "year")
	require.Equal(t, listcache.Stats{}, cache.Stats())
	requireSamePage(t, cache, store, ports.PageQuery{Limit: 1})
}

// panickingSnapshot panics in its first page.
type panickingSnapshot struct {
	ports.RecordSnapshot
	calls int
}

func (s *panickingSnapshot) Page(query ports.PageQuery) (ports.SharedPage, error) {
	if s.calls++; s.calls == 1 {
		panic("in the first page")
	}
	return s.RecordSnapshot.Page(query)
}

func TestAPanicIsNotKept(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	fill(t, store, 0, 3)
	cache, snapshot, query := listcache.New(1<<20), &panickingSnapshot{RecordSnapshot: snapshotOf(t, store)}, ports.PageQuery{Limit: 10}
	require.PanicsWithValue(t, "in the first page", func() { _, _ = cache.Page(snapshot, query) })
	_, err := cache.Page(snapshot, query)
	require.NoError(t, err)
	require.Equal(t, 2, snapshot.calls)
}

// TestLongQueriesTakeNoMemory lists by many long prefixes, which the memory of the cache does not
// contain. It runs alone, because it measures the heap.
func TestLongQueriesTakeNoMemory(t *testing.T) {
	store := memstore.New()
	fill(t, store, 0, 3)
	cache, snapshot := listcache.New(64<<20), snapshotOf(t, store)
	long := strings.Repeat("<", 50_000)
	var before, after goruntime.MemStats
	goruntime.GC()
	goruntime.ReadMemStats(&before)
	for n := range 500 {
		_, err := cache.Page(snapshot, ports.PageQuery{Limit: 10, RecordFilter: ports.RecordFilter{GamePrefix: fmt.Sprint(long, n)}})
		require.NoError(t, err)
	}
	goruntime.GC()
	goruntime.ReadMemStats(&after)
	require.Equal(t, 500, cache.Stats().Pages)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(20<<20))
}
