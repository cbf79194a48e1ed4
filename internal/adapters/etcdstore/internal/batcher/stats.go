package batcher

import "math/bits"

// sizeBuckets is the number of buckets of Stats.Sizes.
const sizeBuckets = 8

// Stats are the requests of a Batcher since New.
type Stats struct {
	// Requests is their number, and Transactions how many transactions they had.
	Requests, Transactions int64
	// Sizes are the requests by their number of transactions: 1, 2, 3 to 4, 5 to 8, and so on,
	// 65 to 128 in the last one.
	Sizes [sizeBuckets]int64
}

// SizeBounds returns the largest number of transactions of each of Sizes.
func SizeBounds() (bounds [sizeBuckets]int) {
	for i := range bounds {
		bounds[i] = 1 << i
	}
	return bounds
}

func (s *Stats) add(size int) {
	s.Requests++
	s.Transactions += int64(size)
	s.Sizes[min(bits.Len(uint(size-1)), sizeBuckets-1)]++
}

// Stats returns the requests since New.
func (b *Batcher) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stats
}
