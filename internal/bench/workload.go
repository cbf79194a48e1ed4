package bench

import (
	"context"
	goruntime "runtime"
	"sync"
	"time"
)

// workerCall is one operation of one worker. It returns the latency, which it measures
// itself.
type workerCall func(ctx context.Context) (time.Duration, error)

// timedCall returns a call of the operation whose latency is the operation's duration.
func timedCall(operation func(ctx context.Context) error) workerCall {
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		err := operation(ctx)
		return time.Since(start), err
	}
}

// workload is a number of concurrent workers. Each worker repeats its call.
type workload struct {
	workers []workerCall
	// writes is set if a call in progress must complete when ctx ends: a canceled write
	// could be applied after the keys have been removed.
	writes bool
	// start, if not nil, prepares a measurement, and returns the function that cleans up.
	start func(ctx context.Context) (end func(), err error)
}

// writeGrace is how long an interrupted run waits for a write in progress.
const writeGrace = 20 * time.Second

// sample is one measurement of one workload.
type sample struct {
	elapsed   time.Duration
	latencies histogram
	// allocations and bytes are those of the whole process during the measurement.
	allocations, bytes uint64
	// cpu is the CPU time of the measurement.
	cpu cpuUsage
}

// measure runs the workers for about the period. Each makes at least one call.
func (w workload) measure(ctx context.Context, cluster Cluster, period time.Duration) (Side, error) {
	var deadline time.Time
	measured, err := w.run(ctx, measurement{
		cluster: cluster, commitTime: min(maxCommitTime, period/4),
		ready: func() { deadline = time.Now().Add(period) }, more: func() bool { return time.Now().Before(deadline) },
	})
	if err != nil {
		return Side{}, err
	}
	return newSide(&measured, len(w.workers)), nil
}

// measurement defines how often the workers call, and what is measured meanwhile.
type measurement struct {
	cluster Cluster
	// ready is called before the workers start. Each makes one call, and further calls
	// while more returns true.
	ready func()
	more  func() bool
	// commitTime is how long CPU time counts after the last call.
	commitTime time.Duration
}

// maxCommitTime is longer than the time after which etcd commits what it has applied to
// its database. Without it, a part of the CPU time of a workload would be that of the
// next one.
const maxCommitTime = 150 * time.Millisecond

// run makes the calls of a measurement.
func (w workload) run(ctx context.Context, m measurement) (sample, error) {
	if w.start != nil {
		end, err := w.start(ctx)
		if err != nil {
			return sample{}, err
		}
		defer end()
	}
	calls := ctx
	if w.writes {
		extended, cancel := withGrace(ctx)
		defer cancel()
		calls = extended
	}
	latencies := make([]histogram, len(w.workers))
	faults := make([]error, len(w.workers))
	var before, after goruntime.MemStats
	goruntime.GC() // of the garbage of the other workload
	goruntime.ReadMemStats(&before)
	usedBefore, err := m.cluster.readCPU(ctx)
	if err != nil {
		return sample{}, err
	}

	m.ready()
	start := time.Now()
	var wg sync.WaitGroup
	for i, worker := range w.workers {
		wg.Go(func() {
			for first := true; faults[i] == nil && ctx.Err() == nil && (first || m.more()); first = false {
				var took time.Duration
				took, faults[i] = worker(calls)
				latencies[i].record(took)
			}
		})
	}
	wg.Wait()
	result := sample{elapsed: time.Since(start)}
	if err := sleep(ctx, m.commitTime); err == nil {
		usedAfter, err := m.cluster.readCPU(ctx)
		if err != nil {
			return sample{}, err
		}
		result.cpu = usedAfter.minus(usedBefore)
	}
	goruntime.ReadMemStats(&after)
	result.allocations, result.bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	for i := range latencies {
		result.latencies.add(&latencies[i])
	}
	if ctx.Err() != nil {
		return result, context.Cause(ctx)
	}
	return result, firstError(faults)
}

// withGrace returns a context that ends writeGrace after ctx.
func withGrace(ctx context.Context) (context.Context, context.CancelFunc) {
	extended, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(writeGrace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-extended.Done():
		}
	})
	return extended, func() {
		stop()
		cancel()
	}
}

func firstError(faults []error) error {
	for _, err := range faults {
		if err != nil {
			return err
		}
	}
	return nil
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
