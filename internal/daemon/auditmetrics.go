package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/adapters/auditlog"
)

// auditMetrics collects the statistics of the audit log.
type auditMetrics struct {
	read                                                func() auditlog.Stats
	available, events, failures, counted, sent, dropped *prometheus.Desc
}

func newAuditMetrics(read func() auditlog.Stats) *auditMetrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, nil, nil)
	}
	return &auditMetrics{
		read:      read,
		available: desc("rtmanager_audit_available", "1 while the audit log can store events; otherwise mutations are rejected."),
		events:    desc("rtmanager_audit_events_total", "Number of events that were stored."),
		failures:  desc("rtmanager_audit_failures_total", "Number of events that could not be stored in time."),
		counted:   desc("rtmanager_audit_denied_counted_total", "Number of denied requests that share one event with others."),
		sent:      desc("rtmanager_audit_webhook_sent_total", "Number of events sent to the webhook."),
		dropped:   desc("rtmanager_audit_webhook_dropped_total", "Number of events that the webhook did not accept."),
	}
}

// Describe implements prometheus.Collector.
func (m *auditMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{m.available, m.events, m.failures, m.counted, m.sent, m.dropped} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (m *auditMetrics) Collect(out chan<- prometheus.Metric) {
	stats := m.read()
	out <- prometheus.MustNewConstMetric(m.available, prometheus.GaugeValue, boolMetric(stats.IsAvailable))
	for desc, value := range map[*prometheus.Desc]int64{
		m.events: stats.Events, m.failures: stats.Failures, m.counted: stats.Counted, m.sent: stats.WebhookSent, m.dropped: stats.WebhookDropped,
	} {
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value))
	}
}
