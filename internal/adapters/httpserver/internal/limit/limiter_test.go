package limit_test

import (
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/limit"
)

// clock is a time that tests advance.
type clock struct{ nanoseconds atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_000_000, c.nanoseconds.Load()) }
func (c *clock) advance(d time.Duration) { c.nanoseconds.Add(int64(d)) }

// admitted returns how many of n requests are admitted; their permits are released.
func admitted(l *limit.Limiter, name string, class limit.Class, n int) int {
	count := 0
	for range n {
		if permit, rejection := l.Admit(name, class); rejection == nil {
			permit.Release()
			count++
		}
	}
	return count
}

func TestRateOfReadsAndWrites(t *testing.T) {
	t.Parallel()
	var c clock
	l := limit.New(limit.Config{ReadRate: 10, WriteRate: 2}, c.now)
	require.Equal(t, 20, admitted(l, "a", limit.Read, 100), "two seconds of reads")
	require.Equal(t, 4, admitted(l, "a", limit.Write, 100), "writes have a bucket of their own")
	require.Equal(t, 20, admitted(l, "b", limit.Read, 100), "another caller")
	_, rejection := l.Admit("a", limit.Read)
	require.Equal(t, &limit.Rejection{Reason: limit.ReasonRate, RetryAfter: 100 * time.Millisecond}, rejection)
	c.advance(rejection.RetryAfter)
	require.Equal(t, 1, admitted(l, "a", limit.Read, 100), "after the time of the rejection one request is admitted")
	require.Equal(t, 0, admitted(l, "a", limit.Stream, 1), "a stream counts as a read")
	c.advance(time.Hour)
	require.Equal(t, 20, admitted(l, "a", limit.Read, 100), "the bucket is bounded")
}

func TestRateBelowOnePerSecond(t *testing.T) {
	t.Parallel()
	var c clock
	l := limit.New(limit.Config{WriteRate: 0.1}, c.now)
	require.Equal(t, 1, admitted(l, "a", limit.Write, 2))
	_, rejection := l.Admit("a", limit.Write)
	require.Equal(t, 10*time.Second, rejection.RetryAfter)
}

func TestConcurrencyAndStreams(t *testing.T) {
	t.Parallel()
	var c clock
	l := limit.New(limit.Config{Concurrency: 2, Streams: 1}, c.now)
	first, rejection := l.Admit("a", limit.Read)
	require.Nil(t, rejection)
	_, rejection = l.Admit("a", limit.Write)
	require.Nil(t, rejection)
	_, rejection = l.Admit("a", limit.Read)
	require.Equal(t, limit.ReasonConcurrency, rejection.Reason)
	require.Positive(t, rejection.RetryAfter)

	stream, rejection := l.Admit("a", limit.Stream)
	require.Nil(t, rejection, "streams are counted apart")
	_, rejection = l.Admit("a", limit.Stream)
	require.Equal(t, limit.ReasonStreams, rejection.Reason)
	require.Equal(t, 1, admitted(l, "b", limit.Stream, 1))

	first.Release()
	stream.Release()
	require.Equal(t, 1, admitted(l, "a", limit.Read, 1))
	require.Equal(t, 1, admitted(l, "a", limit.Stream, 1))
}

func TestNoLimits(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Config{}, time.Now)
	require.Equal(t, 100_000, admitted(l, "a", limit.Write, 100_000))
}

// Very many callers take bounded memory. A caller with open streams keeps its count.
func TestMemoryIsBounded(t *testing.T) {
	var c clock
	l := limit.New(limit.Config{ReadRate: 10, WriteRate: 10, Concurrency: 10, Streams: 1}, c.now)
	failures := limit.NewFailures(10, c.now)
	stream, rejection := l.Admit("subscriber", limit.Stream)
	require.Nil(t, rejection)
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	fill := func(from int) {
		for i := range 100_000 {
			name := strconv.Itoa(from + i)
			admitted(l, name, limit.Read, 1)
			failures.Record(name, name, i%2 == 0)
		}
	}
	fill(0)
	before := heap()
	fill(1_000_000)
	fill(2_000_000)
	require.Less(t, heap(), before+2<<20, "200 000 further callers")
	require.Less(t, before, uint64(80<<20))

	_, rejection = l.Admit("subscriber", limit.Stream)
	require.NotNil(t, rejection, "the open stream is still counted")
	stream.Release()
	require.Equal(t, 1, admitted(l, "subscriber", limit.Stream, 1))
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Config{ReadRate: 1e6, Concurrency: 3}, time.Now)
	var inProgress, most atomic.Int64
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for range 1000 {
				permit, rejection := l.Admit("a", limit.Read)
				if rejection != nil {
					continue
				}
				most.Store(max(most.Load(), inProgress.Add(1)))
				runtime.Gosched()
				inProgress.Add(-1)
				permit.Release()
			}
		})
	}
	callers.Wait()
	require.LessOrEqual(t, most.Load(), int64(3))
	require.Equal(t, 1, admitted(l, "a", limit.Read, 1))
}

func BenchmarkAdmit(b *testing.B) {
	l := limit.New(limit.Config{ReadRate: 1, WriteRate: 1, Concurrency: 10}, time.Now)
	for b.Loop() {
		permit, _ := l.Admit("caller", limit.Read)
		permit.Release()
	}
}
