package listcache

import (
	"bytes"
	"encoding/json"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// maxBatchRecords is how many records a batch has at most. Its text is about the size of one write to a
// connection. A batch is kept as long as lists use any of its records.
const maxBatchRecords = 128

// batch is the JSON of records that were encoded together, in their order.
type batch struct {
	records []*runtime.RuntimeRecord
	encode  func() error // encodes once; the others wait
	text    []byte       // with a comma after each record
	ends    []uint32     // where the text of each record ends, after its comma
	bytes   int          // memory, about, once it is encoded
	usedAt  time.Time
}

// position is the place of a record in a batch.
type position struct {
	batch *batch
	index int32
}

// batchOverhead and recordOverhead are the memory of a batch and of each of its records, about, in
// addition to the text.
const batchOverhead, recordOverhead = 240, 56

// start returns where the text of a record starts.
func (b *batch) start(index int32) uint32 {
	if index == 0 {
		return 0
	}
	return b.ends[index-1]
}

// newBatch returns a batch of the records that are not encoded yet.
func (c *Cache) newBatch(records []*runtime.RuntimeRecord) *batch {
	b := &batch{records: records}
	b.encode = sync.OnceValue(func() error {
		isComplete := false
		defer c.dropUnless(&isComplete, func() { c.dropBatch(b) })
		err := c.encodeBatch(b)
		isComplete = true
		return err
	})
	return b
}

// encodeBatch encodes the records of a batch.
func (c *Cache) encodeBatch(b *batch) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	ends := make([]uint32, len(b.records))
	for i, record := range b.records {
		if err := encoder.Encode(record); err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.dropBatch(b)
			return err
		}
		text.Bytes()[text.Len()-1] = ',' // in place of the line feed
		ends[i] = uint32(text.Len())     //nolint:gosec // the records of a batch are far smaller than 4 GiB
	}
	b.text, b.ends = bytes.Clone(text.Bytes()), ends
	c.mu.Lock()
	defer c.mu.Unlock()
	c.encoded += int64(len(b.records))
	if _, isKept := c.batches[b]; isKept {
		b.bytes = batchOverhead + recordOverhead*len(b.records) + len(b.text)
		c.addBytes(b.bytes)
	}
	return nil
}

// positionsOf returns where the JSON of each record is. Records that no other caller has encoded, or is
// encoding, get new batches.
func (c *Cache) positionsOf(records []ports.SharedRecord) ([]position, []*batch, error) {
	found := make([]position, len(records))
	var used []*batch
	c.mu.Lock()
	now := time.Now()
	for i := 0; i < len(records); {
		at, isKnown := c.positions[records[i].Record]
		if !isKnown {
			at.batch = c.newBatch(c.unknownRun(records[i:]))
			c.batches[at.batch] = struct{}{}
			for n, record := range at.batch.records {
				c.positions[record] = position{at.batch, int32(n)} //nolint:gosec // at most maxBatchRecords
			}
			c.scheduleExpiry()
		}
		if len(used) == 0 || used[len(used)-1] != at.batch {
			at.batch.usedAt = now
			used = append(used, at.batch)
		}
		for i < len(records) && int(at.index) < len(at.batch.records) && at.batch.records[at.index] == records[i].Record {
			found[i] = at
			at.index++
			i++
		}
	}
	c.mu.Unlock()
	for _, b := range used {
		if err := b.encode(); err != nil {
			return nil, nil, err
		}
	}
	return found, used, nil
}

// unknownRun returns the records at the start that have no position, at most maxBatchRecords. mu must
// be held.
func (c *Cache) unknownRun(records []ports.SharedRecord) []*runtime.RuntimeRecord {
	run := []*runtime.RuntimeRecord{records[0].Record}
	for _, record := range records[1:min(len(records), maxBatchRecords)] {
		if _, isKnown := c.positions[record.Record]; isKnown {
			break
		}
		run = append(run, record.Record)
	}
	return run
}
