package listcache

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// DefaultMaxBytes is enough for the lists of about 200 000 records.
const DefaultMaxBytes = 128 << 20

// maxGenerations bounds the snapshots whose pages are kept. A snapshot keeps records in memory that have
// been replaced since.
const maxGenerations = 4

// Cache keeps the JSON of records and pages while lists use them. It is safe for concurrent use.
type Cache struct {
	maxBytes int

	mu          sync.Mutex
	bytes       int                                 // of batches, chunks and pages, about
	positions   map[*runtime.RuntimeRecord]position // where the JSON of a record is
	batches     map[*batch]struct{}
	chunks      map[chunkKey]*chunk
	generations []*generation // the most recently used one is the last
	isExpiring  bool          // expire is going to run
	encoded     int64         // records that were encoded
	compressed  int64         // chunks that were compressed
}

// generation is the pages of the snapshots with the same records.
type generation struct {
	contents any
	// revision is that of the first snapshot with the records. No other records have it.
	revision int64
	pages    map[pageKey]*pageEntry
}

// pageEntry is a page that one caller builds and the others wait for.
type pageEntry struct {
	build  func() (*Page, error)
	built  *Page // nil before the end of build
	usedAt time.Time
}

// New returns an empty cache, which drops entries that are in excess of maxBytes.
func New(maxBytes int) *Cache {
	return &Cache{
		maxBytes: maxBytes, positions: map[*runtime.RuntimeRecord]position{}, batches: map[*batch]struct{}{}, chunks: map[chunkKey]*chunk{},
	}
}

// Stats is the work that a Cache has done, and its size.
type Stats struct {
	// EncodedRecords and CompressedChunks count since New.
	EncodedRecords, CompressedChunks int64
	// Records is the number of records whose JSON is kept, Pages that of pages.
	Records, Pages int
	// Bytes is the memory that the cache uses, about.
	Bytes int
}

// Stats returns the current state.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := Stats{EncodedRecords: c.encoded, CompressedChunks: c.compressed, Records: len(c.positions), Bytes: c.bytes}
	for _, g := range c.generations {
		stats.Pages += len(g.pages)
	}
	return stats
}

// Page returns the page of the query. The query must be valid. The errors are those of
// RecordSnapshot.Page, and that of a record that cannot be encoded.
func (c *Cache) Page(snapshot ports.RecordSnapshot, query ports.PageQuery) (*Page, error) {
	if query.Visible != nil { // which differs between callers
		return c.buildPage(snapshot, query, snapshot.Revision())
	}
	key, err := queryKey(&query)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	generation := c.useGeneration(snapshot)
	entry := generation.pages[key]
	if entry == nil {
		entry = new(pageEntry)
		entry.build = sync.OnceValues(func() (*Page, error) {
			isComplete := false
			defer c.dropUnless(&isComplete, func() { c.dropEntry(generation, key, entry) })
			page, err := c.buildPage(snapshot, query, generation.revision)
			isComplete = true
			return page, err
		})
		generation.pages[key] = entry
		c.scheduleExpiry()
	}
	entry.usedAt = time.Now()
	c.mu.Unlock()

	page, err := entry.build()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch isKept := generation.pages[key] == entry; {
	case err != nil:
		c.dropEntry(generation, key, entry)
	case err == nil && isKept && entry.built == nil:
		entry.built = page
		c.addBytes(page.size())
	}
	return page, err
}

// dropEntry drops a page unless another one has taken its place. mu must be held.
func (c *Cache) dropEntry(g *generation, key pageKey, entry *pageEntry) {
	if g.pages[key] == entry {
		c.dropPage(g, key)
	}
}

// dropUnless calls drop unless isComplete is set. It is not after a panic, which each later caller
// would get otherwise.
func (c *Cache) dropUnless(isComplete *bool, drop func()) {
	if !*isComplete {
		c.mu.Lock()
		defer c.mu.Unlock()
		drop()
	}
}

// pageKey is a hash of a query: a client can send long ones.
type pageKey [sha256.Size]byte

// queryKey returns a key that is equal only for queries with the same pages of one snapshot.
func queryKey(query *ports.PageQuery) (pageKey, error) {
	filter := query.RecordFilter
	filter.Labels = runtime.LabelSelector{} // whose members have no JSON
	key, err := json.Marshal(filter)
	return sha256.Sum256(fmt.Appendf(key, " %q %s %d %q", query.Labels.String(), query.Order, query.Limit, query.After)), err
}

// useGeneration returns the pages of the snapshot's contents, which become the most recently used ones. mu
// must be held.
func (c *Cache) useGeneration(snapshot ports.RecordSnapshot) *generation {
	contents := snapshot.Contents()
	last := len(c.generations) - 1
	for i, g := range c.generations {
		if g.contents == contents {
			copy(c.generations[i:], c.generations[i+1:])
			c.generations[last] = g
			return g
		}
	}
	if len(c.generations) == maxGenerations {
		c.dropGeneration(0)
	}
	g := &generation{contents: contents, revision: snapshot.Revision(), pages: map[pageKey]*pageEntry{}}
	c.generations = append(c.generations, g)
	return g
}

// addBytes counts memory and drops entries if there is too much. mu must be held.
func (c *Cache) addBytes(n int) {
	c.bytes += n
	if c.bytes > c.maxBytes {
		c.evict()
	}
}
