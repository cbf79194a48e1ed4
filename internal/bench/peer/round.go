package main

import (
	"context"
	"errors"
	goruntime "runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// result is the response to a round. CPU time and allocations are those of this process, of
// all operations together.
type result struct {
	Row         string  `json:"row"`
	Workers     int     `json:"workers"`
	Operations  int     `json:"ops"`
	ElapsedNS   int64   `json:"elapsed_ns"`
	MeanUS      float64 `json:"mean_us"`
	P50US       float64 `json:"p50_us"`
	P99US       float64 `json:"p99_us"`
	CPUNS       int64   `json:"cpu_ns"` // user and system
	Allocations uint64  `json:"allocations"`
	AllocBytes  uint64  `json:"alloc_bytes"`
}

// writeGrace is how long a call may continue after the period: a canceled write could be
// applied after the keys have been deleted.
const writeGrace = 20 * time.Second

// measure runs the calls concurrently for about the period. Each worker makes at least one.
func measure(ctx context.Context, calls []call, period time.Duration) (*result, error) {
	goruntime.GC() // of the garbage of other rows
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	usedBefore, err := cpuTime()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	latencies, err := repeat(ctx, calls, period)
	elapsed := time.Since(start)
	usedAfter, cpuErr := cpuTime()
	goruntime.ReadMemStats(&after)
	if err := errors.Join(err, cpuErr); err != nil {
		return nil, err
	}
	slices.Sort(latencies)
	var sum time.Duration
	for _, latency := range latencies {
		sum += latency
	}
	count := len(latencies)
	return &result{
		Workers: len(calls), Operations: count, ElapsedNS: elapsed.Nanoseconds(),
		MeanUS: microseconds(sum) / float64(count),
		P50US:  microseconds(latencies[(count-1)/2]), P99US: microseconds(latencies[(count-1)*99/100]),
		CPUNS:       (usedAfter - usedBefore).Nanoseconds(),
		Allocations: after.Mallocs - before.Mallocs, AllocBytes: after.TotalAlloc - before.TotalAlloc,
	}, nil
}

// repeat repeats each call in a goroutine of its own and returns the latencies of all. It
// ends early when ctx ends.
func repeat(ctx context.Context, calls []call, period time.Duration) ([]time.Duration, error) {
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), period+writeGrace)
	defer cancel()
	latencies := make([][]time.Duration, len(calls))
	faults := make([]error, len(calls))
	deadline := time.Now().Add(period)
	var wg sync.WaitGroup
	for i, operation := range calls {
		wg.Go(func() {
			for last := time.Now(); faults[i] == nil; {
				faults[i] = operation(writing)
				now := time.Now()
				latencies[i] = append(latencies[i], now.Sub(last))
				if now.After(deadline) || ctx.Err() != nil {
					return
				}
				last = now
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return slices.Concat(latencies...), errors.Join(faults...)
}

// cpuTime returns the CPU time, user and system, that this process has used.
func cpuTime() (time.Duration, error) {
	var used syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), err
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
