package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/daemon/internal/gamemetrics"
	"galaxy/rtmanager/internal/tlsfiles"
)

// newMetricsRegistry returns the registry of a daemon, with the metrics of its store, its TLS
// files and its endpoints of etcd, and of the games, for a daemon of the region. Other parts register their own metrics.
func newMetricsRegistry(store *etcdstore.Store, apiTLS tlsfiles.Client, etcd *Etcd, region string) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newStoreMetrics(store.CacheStats), newTLSMetrics(apiTLS, etcd), gamemetrics.NewGames(store, region))
	if etcd.endpoints != nil {
		registry.MustRegister(newEndpointMetrics(etcd.endpoints.Snapshot))
	}
	return registry
}

// storeMetrics collects the statistics of a store's cache and event log.
type storeMetrics struct {
	read    func() etcdstore.CacheStats
	metrics []storeMetric
}

// storeMetric is one metric and the statistic that it shows.
type storeMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(etcdstore.CacheStats) float64
}

func newStoreMetrics(read func() etcdstore.CacheStats) *storeMetrics {
	m := &storeMetrics{read: read}
	add := func(kind prometheus.ValueType, name, help string, value func(etcdstore.CacheStats) float64) {
		m.metrics = append(m.metrics, storeMetric{prometheus.NewDesc("rtmanager_"+name, help, nil, nil), kind, value})
	}
	type stats = etcdstore.CacheStats
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	add(gauge, "cache_synced", "1 once the cache holds all records.", func(s stats) float64 { return boolMetric(s.Synced) })
	add(gauge, "cache_healthy", "1 while the watch that updates the cache is alive.", func(s stats) float64 { return boolMetric(s.Healthy) })
	add(gauge, "cache_revision", "Revision of the cache.", func(s stats) float64 { return float64(s.Revision) })
	add(gauge, "cache_records", "Records in the cache.", func(s stats) float64 { return float64(s.Records) })
	add(counter, "cache_reads_total", "Reads served by the cache.", func(s stats) float64 { return float64(s.CachedReads) })
	add(counter, "cache_fallbacks_total", "Reads served by etcd because the cache was not fresh.", func(s stats) float64 { return float64(s.Fallbacks) })
	add(counter, "cache_consistency_checks_total", "Consistency checks of the cache against etcd.", func(s stats) float64 { return float64(s.ConsistencyChecks) })
	add(counter, "cache_differences_total", "Consistency checks that found a difference, which is a bug.", func(s stats) float64 { return float64(s.Differences) })
	add(gauge, "event_log_changes", "Changes in the event log that all watches share.", func(s stats) float64 { return float64(s.LogChanges) })
	add(gauge, "event_log_bytes", "Approximate memory of the event log, in bytes.", func(s stats) float64 { return float64(s.LogBytes) })
	add(counter, "watch_replays_total", "Watches served by etcd, mostly because they were behind the event log.", func(s stats) float64 { return float64(s.Replays) })
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
	stats := m.read()
	for _, metric := range m.metrics {
		out <- prometheus.MustNewConstMetric(metric.desc, metric.kind, metric.value(stats))
	}
}

func boolMetric(condition bool) float64 {
	if condition {
		return 1
	}
	return 0
}
