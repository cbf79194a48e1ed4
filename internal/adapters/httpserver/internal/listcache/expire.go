package listcache

import (
	"cmp"
	"slices"
	"time"
)

const (
	// expiryInterval is the time between two searches for entries to drop, while there are any.
	expiryInterval = 10 * time.Second
	// pageTTL is how long a page is kept after its last use. It is built from the JSON of its records
	// fast.
	pageTTL = 20 * time.Second
	// recordTTL is how long the JSON of a record is kept after the last use.
	recordTTL = time.Minute
)

// scheduleExpiry makes expire run while the cache has entries. mu must be held.
func (c *Cache) scheduleExpiry() {
	if !c.isExpiring {
		c.isExpiring = true
		time.AfterFunc(expiryInterval, c.expire)
	}
}

// expire drops the entries that were not used for some time.
func (c *Cache) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.markUsed()
	c.dropPagesBefore(now.Add(-pageTTL))
	c.dropTextBefore(now.Add(-recordTTL))
	c.isExpiring = false
	if len(c.batches)+len(c.chunks)+len(c.generations) > 0 {
		c.scheduleExpiry()
	}
}

// evict drops the entries that were not used for the longest time, until a quarter of the memory is
// free. mu must be held.
func (c *Cache) evict() {
	type entry struct {
		usedAt time.Time
		bytes  int
	}
	c.markUsed()
	entries := make([]entry, 0, len(c.batches)+len(c.chunks))
	for b := range c.batches {
		entries = append(entries, entry{b.usedAt, b.bytes})
	}
	for _, k := range c.chunks {
		entries = append(entries, entry{k.usedAt, k.bytes})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Or(a.usedAt.Compare(b.usedAt), cmp.Compare(b.bytes, a.bytes)) })
	var before time.Time
	for remaining := c.bytes; len(entries) > 0 && remaining > c.maxBytes/4*3; entries = entries[1:] {
		before = entries[0].usedAt.Add(1)
		remaining -= entries[0].bytes
	}
	c.dropPagesBefore(before) // no page refers to a batch that was used later
	c.dropTextBefore(before)
	for len(c.generations) > 0 && c.bytes > c.maxBytes/4*3 {
		c.dropGeneration(0)
	}
}

// markUsed makes the batches and chunks of a page as recently used as the page. mu must be held.
func (c *Cache) markUsed() {
	for _, g := range c.generations {
		for _, entry := range g.pages {
			if entry.built == nil {
				continue
			}
			for _, b := range entry.built.batches {
				if b.usedAt.Before(entry.usedAt) {
					b.usedAt = entry.usedAt
				}
			}
			for _, k := range entry.built.chunks {
				if k.usedAt.Before(entry.usedAt) {
					k.usedAt = entry.usedAt
				}
			}
		}
	}
}

// dropPagesBefore drops the pages that were not used since the time. mu must be held.
func (c *Cache) dropPagesBefore(at time.Time) {
	for i, g := range slices.Backward(c.generations) {
		for key, entry := range g.pages {
			if entry.usedAt.Before(at) {
				c.dropPage(g, key)
			}
		}
		if len(g.pages) == 0 {
			c.generations = slices.Delete(c.generations, i, i+1)
		}
	}
}

// dropTextBefore drops the batches and chunks that were not used since the time. mu must be held.
func (c *Cache) dropTextBefore(at time.Time) {
	for b := range c.batches {
		if b.usedAt.Before(at) {
			c.dropBatch(b)
		}
	}
	for key, k := range c.chunks {
		if k.usedAt.Before(at) {
			c.dropChunk(key)
		}
	}
}

// dropGeneration drops all pages of a generation. mu must be held.
func (c *Cache) dropGeneration(i int) {
	g := c.generations[i]
	for key := range g.pages {
		c.dropPage(g, key)
	}
	c.generations = slices.Delete(c.generations, i, i+1)
}

func (c *Cache) dropPage(g *generation, key pageKey) {
	entry := g.pages[key]
	delete(g.pages, key)
	if entry.built != nil {
		c.bytes -= entry.built.size()
	}
}

func (c *Cache) dropBatch(b *batch) {
	if _, isKept := c.batches[b]; !isKept {
		return
	}
	delete(c.batches, b)
	for _, record := range b.records {
		if c.positions[record].batch == b {
			delete(c.positions, record)
		}
	}
	c.bytes -= b.bytes
}

func (c *Cache) dropChunk(key chunkKey) {
	if k := c.chunks[key]; k != nil {
		c.bytes -= k.bytes
		delete(c.chunks, key)
	}
}
