package bench

import (
	"context"
	goruntime "runtime"
	"sync"
	"time"
)

// call is one operation of one worker. It returns how long that took, by its
// own measure.
type call func(ctx context.Context) (time.Duration, error)

// timed makes a call of an operation that takes as long as it runs.
func timed(operation func(ctx context.Context) error) call {
	return func(ctx context.Context) (time.Duration, error) {
		began := time.Now()
		err := operation(ctx)
		return time.Since(began), err
	}
}

// side is one of the two ways that a row compares: workers at the same time,
// each making its call over and over.
type side struct {
	workers []call
	// writes says that a call must be answered once it has begun: a write that
	// was given up could land after everything has been removed.
	writes bool
	// begin, where not nil, makes ready what a measurement needs, and returns what
	// puts it away.
	begin func(ctx context.Context) (end func(), err error)
}

// writePatience is how long a write under way may keep an interrupted run.
const writePatience = 20 * time.Second

// sample is one measurement of one side.
type sample struct {
	elapsed   time.Duration
	latencies histogram
	// allocations and bytes are what the whole process allocated meanwhile.
	allocations, bytes uint64
}

// measure runs the workers for about so long, each at least once.
func (s side) measure(ctx context.Context, period time.Duration) (sample, error) {
	var deadline time.Time
	return s.run(ctx, func() { deadline = time.Now().Add(period) }, func() bool { return time.Now().Before(deadline) })
}

// run starts the workers after ready was called, and lets each make another
// call as long as more says so.
func (s side) run(ctx context.Context, ready func(), more func() bool) (sample, error) {
	if s.begin != nil {
		end, err := s.begin(ctx)
		if err != nil {
			return sample{}, err
		}
		defer end()
	}
	calls := ctx
	if s.writes {
		outlasting, cancel := outlast(ctx)
		defer cancel()
		calls = outlasting
	}
	latencies := make([]histogram, len(s.workers))
	faults := make([]error, len(s.workers))
	var before, after goruntime.MemStats
	goruntime.GC() // of what the other side has left
	goruntime.ReadMemStats(&before)

	ready()
	began := time.Now()
	var running sync.WaitGroup
	for i, worker := range s.workers {
		running.Go(func() {
			for first := true; faults[i] == nil && ctx.Err() == nil && (first || more()); first = false {
				var took time.Duration
				took, faults[i] = worker(calls)
				latencies[i].record(took)
			}
		})
	}
	running.Wait()
	taken := sample{elapsed: time.Since(began)}
	goruntime.ReadMemStats(&after)
	taken.allocations, taken.bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	for i := range latencies {
		taken.latencies.add(&latencies[i])
	}
	if ctx.Err() != nil {
		return taken, context.Cause(ctx)
	}
	return taken, firstOf(faults)
}

// outlast returns a context that ends writePatience after ctx has.
func outlast(ctx context.Context) (context.Context, context.CancelFunc) {
	outlasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		patience := time.NewTimer(writePatience)
		defer patience.Stop()
		select {
		case <-patience.C:
			cancel()
		case <-outlasting.Done():
		}
	})
	return outlasting, func() {
		stop()
		cancel()
	}
}

func firstOf(faults []error) error {
	for _, err := range faults {
		if err != nil {
			return err
		}
	}
	return nil
}

// What is compared of two samples: latencies in microseconds, or a rate.

func mean(s *sample) float64 { return microseconds(s.latencies.mean()) }
func p99(s *sample) float64  { return microseconds(s.latencies.quantile(0.99)) }
func rate(s *sample) float64 { return float64(s.latencies.count) / s.elapsed.Seconds() }

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
