package listcache

import (
	"hash/maphash"
	"strconv"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/etag"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Page is the items of one page of a list, encoded. Callers share it; it does not change.
type Page struct {
	// Next and Corrupt are those of ports.SharedPage.
	Next    string
	Corrupt []*runtime.CorruptError
	// Revision is one at which the store had the same records as at that of the snapshot.
	Revision int64
	// Versions is the hash of the versions of the items.
	Versions etag.Versions

	items     [][]byte // the JSON of the items, in parts
	itemBytes int
	revisions []byte // the revisions of the items, with commas between them

	batches  []*batch // of the items
	chunks   []*chunk // of the items, once the page is compressed; Cache.mu guards them
	compress func() *compressedPage
}

// buildPage reads a page and encodes the records that are not encoded yet. The store has the same records at
// the revision.
func (c *Cache) buildPage(snapshot ports.RecordSnapshot, query ports.PageQuery, revision int64) (*Page, error) {
	shared, err := snapshot.Page(query)
	if err != nil {
		return nil, err
	}
	positions, batches, err := c.positionsOf(shared.Records)
	if err != nil {
		return nil, err
	}
	page := &Page{Next: shared.Next, Corrupt: shared.Corrupt, Revision: revision, batches: batches}
	page.items, page.itemBytes = textOf(positions)
	page.revisions = make([]byte, 0, len(shared.Records)*8)
	var versions etag.VersionHash
	for i, record := range shared.Records {
		versions.Add(record.Record.GameID, record.Revision)
		if i > 0 {
			page.revisions = append(page.revisions, ',')
		}
		page.revisions = strconv.AppendInt(page.revisions, record.Revision, 10)
	}
	page.Versions = versions.Sum()
	page.compress = onceValue(func() *compressedPage { return c.compressPage(page, shared.Records, positions) })
	return page, nil
}

// pageOverhead and itemOverhead are the memory of a page and of each of its items, about.
const pageOverhead, itemOverhead = 400, 40

// size returns the memory of the page, about, without that of the batches.
func (p *Page) size() int {
	items := 0
	for _, b := range p.batches {
		items += len(b.records)
	}
	return pageOverhead + 24*len(p.items) + len(p.revisions) + itemOverhead*items
}

// textOf returns the JSON of the records at the positions, with commas between them, in few parts:
// records that are neighbors in a batch are one part.
func textOf(positions []position) (parts [][]byte, length int) {
	for i := 0; i < len(positions); {
		b, start := positions[i].batch, positions[i].batch.start(positions[i].index)
		end := b.ends[positions[i].index]
		for i++; i < len(positions) && positions[i].batch == b && b.start(positions[i].index) == end; i++ {
			end = b.ends[positions[i].index]
		}
		if i == len(positions) {
			end-- // no comma after the last one
		}
		parts = append(parts, b.text[start:end:end])
		length += int(end - start)
	}
	return parts, length
}

// chunkSeed makes the ends of chunks the same in all pages of one process.
var chunkSeed = maphash.MakeSeed()

const (
	// meanChunkRecords is how many records a chunk has, about, and maxChunkRecords at most. A change
	// of one record compresses its whole chunk.
	meanChunkRecords = 128
	maxChunkRecords  = 4 * meanChunkRecords
)

// chunkEnd returns where the chunk at the start of the records ends. It depends on the records alone, so
// that an inserted record moves no other chunk, and that different lists have chunks in common.
func chunkEnd(records []ports.SharedRecord) int {
	for i := range records {
		if i+1 == maxChunkRecords || maphash.String(chunkSeed, records[i].Record.GameID)%meanChunkRecords == 0 {
			return i + 1
		}
	}
	return len(records)
}
