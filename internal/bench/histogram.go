package bench

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets that are at most 1.6 % wide, so that
// recording one neither allocates nor grows. The scheme is HdrHistogram's
// (HdrHistogram/HdrHistogram: AbstractHistogram.java).
type histogram struct {
	buckets [(64 - subBits) << subBits]uint32
	count   int
	sum     time.Duration
}

// subBits is the base-2 logarithm of the number of buckets per power of two.
const subBits = 6

func (h *histogram) record(d time.Duration) {
	h.buckets[bucketIndex(d)]++
	h.count++
	h.sum += d
}

func (h *histogram) add(other *histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.count += other.count
	h.sum += other.sum
}

func (h *histogram) mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return h.sum / time.Duration(h.count)
}

// quantile returns the duration that the share q of all durations does not exceed, and 0
// if nothing was recorded.
func (h *histogram) quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	remaining := int(q * float64(h.count-1))
	for i, n := range h.buckets {
		if remaining -= int(n); remaining < 0 {
			return bucketMidpoint(i)
		}
	}
	return 0
}

func bucketIndex(d time.Duration) int {
	n := uint64(max(d, 0))
	shift := bits.Len64(n) - subBits - 1
	if shift <= 0 {
		return int(n)
	}
	return shift<<subBits + int(n>>shift)
}

// bucketMidpoint returns the middle of the durations in the bucket.
func bucketMidpoint(bucket int) time.Duration {
	shift := bucket>>subBits - 1
	if shift <= 0 {
		return time.Duration(bucket)
	}
	lowest := uint64(bucket-shift<<subBits) << shift
	return time.Duration(lowest + uint64(1)<<shift/2)
}
