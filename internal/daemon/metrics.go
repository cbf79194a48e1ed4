package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/adapters/etcdstore"
)

// storeMetrics tells Prometheus how the store's cache and watch hub are doing.
type storeMetrics struct{ stats func() etcdstore.CacheStats }

// storeMetric is one number of the stats under its name.
type storeMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(etcdstore.CacheStats) float64
}

func newStoreMetric(name, help string, kind prometheus.ValueType, value func(etcdstore.CacheStats) float64) storeMetric {
	return storeMetric{prometheus.NewDesc("rtmanager_"+name, help, nil, nil), kind, value}
}

func storeMetricList() []storeMetric {
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	return []storeMetric{
		newStoreMetric("cache_filled", "1 while the cache holds every record.", gauge,
			func(s etcdstore.CacheStats) float64 { return oneIf(s.Filled) }),
		newStoreMetric("cache_healthy", "1 while the watch that feeds the cache is believed to be alive.", gauge,
			func(s etcdstore.CacheStats) float64 { return oneIf(s.Healthy) }),
		newStoreMetric("cache_revision", "The revision that the cache has come to.", gauge,
			func(s etcdstore.CacheStats) float64 { return float64(s.Revision) }),
		newStoreMetric("cache_records", "Records in the cache.", gauge,
			func(s etcdstore.CacheStats) float64 { return float64(s.Records) }),
		newStoreMetric("cache_reads_total", "Reads answered from the cache.", counter,
			func(s etcdstore.CacheStats) float64 { return float64(s.CachedReads) }),
		newStoreMetric("cache_fallbacks_total", "Reads that the cache could not vouch for and etcd answered.", counter,
			func(s etcdstore.CacheStats) float64 { return float64(s.Fallbacks) }),
		newStoreMetric("cache_comparisons_total", "Comparisons of the whole cache with etcd.", counter,
			func(s etcdstore.CacheStats) float64 { return float64(s.Comparisons) }),
		newStoreMetric("cache_differences_total", "Comparisons that found a difference, which is a defect.", counter,
			func(s etcdstore.CacheStats) float64 { return float64(s.Differences) }),
		newStoreMetric("watch_history_changes", "Recent changes kept for all watches together.", gauge,
			func(s etcdstore.CacheStats) float64 { return float64(s.HistoryChanges) }),
		newStoreMetric("watch_history_bytes", "About what these keep of memory.", gauge,
			func(s etcdstore.CacheStats) float64 { return float64(s.HistoryBytes) }),
		newStoreMetric("watch_replays_total", "Watches that etcd had to serve itself, mostly because the history did not reach back far enough.", counter,
			func(s etcdstore.CacheStats) float64 { return float64(s.Replays) }),
	}
}

// Describe implements prometheus.Collector.
func (m storeMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, metric := range storeMetricList() {
		out <- metric.desc
	}
}

// Collect implements prometheus.Collector.
func (m storeMetrics) Collect(out chan<- prometheus.Metric) {
	stats := m.stats()
	for _, metric := range storeMetricList() {
		out <- prometheus.MustNewConstMetric(metric.desc, metric.kind, metric.value(stats))
	}
}

func oneIf(condition bool) float64 {
	if condition {
		return 1
	}
	return 0
}
