package bench

import (
	"context"
	"errors"
	goruntime "runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/bench/cputime"
)

// fanoutEvents is the number of events whose time to reach all subscribers is measured.
const fanoutEvents = 10

// subscribersRow returns the row that measures the cost of many subscribers.
func subscribersRow() rowSpec {
	return rowSpec{
		name: "subscribers", what: "etcd watches of all subscribers on one store", against: "one watch",
		measure: measureSubscribers,
	}
}

func measureSubscribers(ctx context.Context, r *runner) (Row, error) {
	target := target{limit: 1}
	row := Row{Sides: [2]string{SideStore, "single-watch"}, Unit: UnitWatches, Baseline: 1, Target: target.String(), Details: map[string]float64{"subscribers": float64(r.options.Watchers)}}
	idleBefore, err := r.measureIdleCPU(ctx)
	if err != nil {
		return Row{}, err
	}
	row.Details["idle_cpu_cores_before"] = idleBefore

	revision, err := r.currentRevision(ctx)
	if err != nil {
		return Row{}, err
	}
	heap := heapInUse()
	pool := r.startSubscribers(ctx, revision)
	defer pool.stopAll()
	write := r.writers[0].transitionOn(r.store)
	if _, err := pool.timeToAll(ctx, write); err != nil { // all subscribers are connected when they have received this event
		return Row{}, err
	}
	row.Details["heap_bytes_per_subscriber"] = (heapInUse() - heap) / float64(r.options.Watchers)
	if row.Details["idle_cpu_cores"], err = r.measureIdleCPU(ctx); err != nil {
		return Row{}, err
	}
	if row.Measured, err = r.countWatches(); err != nil {
		return Row{}, err
	}
	var latencies histogram
	for range fanoutEvents {
		d, err := pool.timeToAll(ctx, write)
		if err != nil {
			return Row{}, err
		}
		latencies.record(d)
	}
	row.Details["event_to_all_p50_us"] = microseconds(latencies.quantile(0.5))
	row.Details["event_to_all_max_us"] = microseconds(latencies.quantile(1))
	row.Ratio = row.Measured / row.Baseline
	row.Spread = [2]float64{row.Ratio, row.Ratio} // a count has no noise
	row.Reached = target.isReached(row)
	return row, nil
}

// countWatches returns the number of watches that an embedded etcd reports. For an
// external etcd it returns the number of open watches of this client.
func (r *runner) countWatches() (float64, error) {
	if !r.cluster.Embedded {
		return float64(r.watches.open.Load()), nil
	}
	return countEtcdWatches()
}

// countEtcdWatches reads the gauge of the etcd in this process.
func countEtcdWatches() (float64, error) {
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		return 0, err
	}
	for _, family := range families {
		if family.GetName() == "etcd_debugging_mvcc_watcher_total" && len(family.GetMetric()) > 0 {
			return family.GetMetric()[0].GetGauge().GetValue(), nil
		}
	}
	return 0, errors.New("this etcd does not report its number of watches")
}

// measureIdleCPU returns the share of one core that the process uses without requests, measured
// for Options.Duration.
func (r *runner) measureIdleCPU(ctx context.Context) (cores float64, err error) {
	goruntime.GC() // so that it does not run during the measurement
	start, before := time.Now(), cputime.OfProcess()
	if err := sleep(ctx, r.options.Duration); err != nil {
		return 0, err
	}
	return float64(cputime.OfProcess()-before) / float64(time.Since(start)), nil
}

// heapInUse returns the size of the reachable heap in bytes.
func heapInUse() float64 {
	for range 2 { // the second one also clears sync.Pools
		goruntime.GC()
	}
	var stats goruntime.MemStats
	goruntime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

// watchCounter is a client that counts its open watches.
type watchCounter struct {
	clientv3.Watcher
	client *clientv3.Client
	open   atomic.Int64
}

func newWatchCounter(client *clientv3.Client) *watchCounter {
	c := &watchCounter{Watcher: client.Watcher, client: clientv3.NewCtxClient(client.Ctx())}
	c.client.KV, c.client.Lease, c.client.Cluster, c.client.Maintenance = client.KV, client.Lease, client.Cluster, client.Maintenance
	c.client.Watcher = c
	return c
}

// Watch implements clientv3.Watcher. A watch counts until its context ends.
func (c *watchCounter) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	c.open.Add(1)
	context.AfterFunc(ctx, func() { c.open.Add(-1) })
	return c.Watcher.Watch(ctx, key, opts...)
}
