package bench

import (
	"context"
	"errors"
	goruntime "runtime"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// eventsToAll is how often the time is taken that one event needs to reach all
// subscribers.
const eventsToAll = 10

// subscribers is the row that counts what many subscribers cost.
func subscribers() row {
	return row{
		name: "subscribers", what: "etcd watches of all subscribers on one store", against: "one watch",
		measure: measureSubscribers,
	}
}

func measureSubscribers(ctx context.Context, r *rig) (Row, error) {
	wanted := goal{limit: 1}
	row := Row{Unit: UnitWatches, Theirs: 1, Target: wanted.String(), Details: map[string]float64{"subscribers": float64(r.options.Watchers)}}
	alone, err := r.idleCPU(ctx)
	if err != nil {
		return Row{}, err
	}
	row.Details["idle_cpu_cores_without_them"] = alone

	revision, err := r.head(ctx)
	if err != nil {
		return Row{}, err
	}
	heap := heapInUse()
	all := r.gather(ctx, revision)
	defer all.leave()
	write := r.writers[0].on(r.store)
	if _, err := all.reach(ctx, write); err != nil { // they are there when all have heard
		return Row{}, err
	}
	row.Details["heap_bytes_per_subscriber"] = (heapInUse() - heap) / float64(r.options.Watchers)
	if row.Details["idle_cpu_cores"], err = r.idleCPU(ctx); err != nil {
		return Row{}, err
	}
	if row.Ours, err = r.watchesOfStore(); err != nil {
		return Row{}, err
	}
	var took histogram
	for range eventsToAll {
		d, err := all.reach(ctx, write)
		if err != nil {
			return Row{}, err
		}
		took.record(d)
	}
	row.Details["event_to_all_p50_us"] = microseconds(took.quantile(0.5))
	row.Details["event_to_all_max_us"] = microseconds(took.quantile(1))
	row.Ratio = row.Ours / row.Theirs
	row.Spread = [2]float64{row.Ratio, row.Ratio} // a count has no noise
	row.Reached = wanted.reached(row.Ratio)
	return row, nil
}

// watchesOfStore is how many watches an embedded etcd says that it has. Of an
// external one only this side's word can be had: how many are held open.
func (r *rig) watchesOfStore() (float64, error) {
	if !r.cluster.Embedded {
		return float64(r.watches.open.Load()), nil
	}
	return etcdWatchers()
}

// etcdWatchers reads the gauge of the etcd in this process.
func etcdWatchers() (float64, error) {
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		return 0, err
	}
	for _, family := range families {
		if family.GetName() == "etcd_debugging_mvcc_watcher_total" && len(family.GetMetric()) > 0 {
			return family.GetMetric()[0].GetGauge().GetValue(), nil
		}
	}
	return 0, errors.New("this etcd does not say how many watches it has")
}

// idleCPU returns the share of one core that the process uses while nobody asks
// anything of it, over the time that a side is measured.
func (r *rig) idleCPU(ctx context.Context) (cores float64, err error) {
	goruntime.GC() // or it would fall into the time that is looked at
	began, before := time.Now(), cpuTime()
	idle := time.NewTimer(r.options.Duration)
	defer idle.Stop()
	select {
	case <-idle.C:
		return float64(cpuTime()-before) / float64(time.Since(began)), nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// cpuTime is what the process has used of processors so far.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic("getrusage of this very process: " + err.Error())
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// heapInUse returns the bytes of what is reachable.
func heapInUse() float64 {
	for range 2 { // pools give up what they hold in the second
		goruntime.GC()
	}
	var stats goruntime.MemStats
	goruntime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}
