package listcache

import (
	"hash/crc32"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// chunkKey selects a chunk. Chunks with the same key may differ in between.
type chunkKey struct {
	first, last *runtime.RuntimeRecord
	length      int
}

// chunk is the compressed JSON of consecutive records of a list.
type chunk struct {
	records  []*runtime.RuntimeRecord
	compress func() deflated // compresses once; the others wait
	bytes    int             // memory, about, once it is compressed
	usedAt   time.Time
}

// compressedPage is the compressed form of a Page.
type compressedPage struct {
	items     []deflated // in order, with a comma between two of them
	revisions deflated
}

// compressPage compresses the chunks that no other page has in common.
func (c *Cache) compressPage(page *Page, records []ports.SharedRecord, positions []position) *compressedPage {
	compressed := &compressedPage{revisions: deflate(page.revisions)}
	var chunks []*chunk
	for len(records) > 0 {
		end := chunkEnd(records)
		found := c.chunkOf(records[:end], positions[:end])
		chunks, compressed.items = append(chunks, found), append(compressed.items, found.compress())
		records, positions = records[end:], positions[end:]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	page.chunks = chunks
	return compressed
}

// chunkOf returns the chunk of the records.
func (c *Cache) chunkOf(records []ports.SharedRecord, positions []position) *chunk {
	key := chunkKey{records[0].Record, records[len(records)-1].Record, len(records)}
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.chunks[key]
	if found == nil || !found.hasRecords(records) {
		c.dropChunk(key)
		found = &chunk{records: make([]*runtime.RuntimeRecord, len(records))}
		for i, record := range records {
			found.records[i] = record.Record
		}
		found.compress = onceValue(func() deflated { return c.compressChunk(key, found, positions) })
		c.chunks[key] = found
		c.scheduleExpiry()
	}
	found.usedAt = time.Now()
	return found
}

func (k *chunk) hasRecords(records []ports.SharedRecord) bool {
	for i, record := range records {
		if k.records[i] != record.Record {
			return false
		}
	}
	return true
}

// compressChunk compresses the JSON of the records at the positions.
func (c *Cache) compressChunk(key chunkKey, k *chunk, positions []position) deflated {
	parts, _ := textOf(positions)
	compressed := deflate(parts...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.compressed++
	if c.chunks[key] == k {
		k.bytes = len(compressed.data) + 16*len(k.records)
		c.addBytes(k.bytes)
	}
	return compressed
}

// checksum is the CRC-32 of gzip, of a text and its length.
type checksum struct {
	crc    uint32
	length int64
}

func checksumOf(parts ...[]byte) (sum checksum) {
	for _, part := range parts {
		sum.crc = crc32.Update(sum.crc, crc32.IEEETable, part)
		sum.length += int64(len(part))
	}
	return sum
}
