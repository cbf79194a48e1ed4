package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/adapters/etcdstore"
)

// storeMetrics tells Prometheus how a store's cache and watch hub are doing.
type storeMetrics struct {
	stats   func() etcdstore.CacheStats
	metrics []storeMetric
}

// storeMetric is one number of the stats under its name.
type storeMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(etcdstore.CacheStats) float64
}

func newStoreMetrics(stats func() etcdstore.CacheStats) *storeMetrics {
	m := &storeMetrics{stats: stats}
	add := func(kind prometheus.ValueType, name, help string, value func(etcdstore.CacheStats) float64) {
		m.metrics = append(m.metrics, storeMetric{prometheus.NewDesc("rtmanager_"+name, help, nil, nil), kind, value})
	}
	type now = etcdstore.CacheStats
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	add(gauge, "cache_filled", "1 while the cache holds every record.", func(s now) float64 { return oneIf(s.Filled) })
	add(gauge, "cache_healthy", "1 while the watch that feeds the cache is believed to be alive.", func(s now) float64 { return oneIf(s.Healthy) })
	add(gauge, "cache_revision", "The revision that the cache has come to.", func(s now) float64 { return float64(s.Revision) })
	add(gauge, "cache_records", "Records in the cache.", func(s now) float64 { return float64(s.Records) })
	add(counter, "cache_reads_total", "Reads answered from the cache.", func(s now) float64 { return float64(s.CachedReads) })
	add(counter, "cache_fallbacks_total", "Reads that the cache could not vouch for and etcd answered.", func(s now) float64 { return float64(s.Fallbacks) })
	add(counter, "cache_comparisons_total", "Comparisons of the whole cache with etcd.", func(s now) float64 { return float64(s.Comparisons) })
	add(counter, "cache_differences_total", "Comparisons that found a difference, which is a defect.", func(s now) float64 { return float64(s.Differences) })
	add(gauge, "watch_history_changes", "Recent changes kept for all watches together.", func(s now) float64 { return float64(s.HistoryChanges) })
	add(gauge, "watch_history_bytes", "About what these keep of memory.", func(s now) float64 { return float64(s.HistoryBytes) })
	add(counter, "watch_replays_total", "Watches that etcd had to serve itself, mostly because the history did not reach back far enough.", func(s now) float64 { return float64(s.Replays) })
	return m
}

// Describe implements prometheus.Collector.
func (m *storeMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, metric := range m.metrics {
		out <- metric.desc
	}
}

// Collect implements prometheus.Collector.
func (m *storeMetrics) Collect(out chan<- prometheus.Metric) {
	stats := m.stats()
	for _, metric := range m.metrics {
		out <- prometheus.MustNewConstMetric(metric.desc, metric.kind, metric.value(stats))
	}
}

func oneIf(condition bool) float64 {
	if condition {
		return 1
	}
	return 0
}
