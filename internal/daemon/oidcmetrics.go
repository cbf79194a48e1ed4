package daemon

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/adapters/oidc"
)

// issuerMetrics collects the state of the keys of an OpenID Connect issuer.
type issuerMetrics struct {
	state                  func() oidc.State
	age, fetches, failures *prometheus.Desc
}

func newIssuerMetrics(state func() oidc.State) *issuerMetrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("rtmanager_oidc_"+name, help, nil, nil)
	}
	return &issuerMetrics{
		state:    state,
		age:      desc("keys_age_seconds", "Time since the keys of the OIDC issuer were fetched; absent before the first time. They are not used for more than a day."),
		fetches:  desc("key_fetches_total", "Attempts to fetch the keys of the OIDC issuer."),
		failures: desc("key_fetch_failures_total", "Attempts to fetch the keys of the OIDC issuer that failed; the cached keys remained in use."),
	}
}

// Describe implements prometheus.Collector.
func (m *issuerMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{m.age, m.fetches, m.failures} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (m *issuerMetrics) Collect(out chan<- prometheus.Metric) {
	state := m.state()
	if !state.FetchedAt.IsZero() {
		out <- prometheus.MustNewConstMetric(m.age, prometheus.GaugeValue, time.Since(state.FetchedAt).Seconds())
	}
	out <- prometheus.MustNewConstMetric(m.fetches, prometheus.CounterValue, float64(state.Fetches))
	out <- prometheus.MustNewConstMetric(m.failures, prometheus.CounterValue, float64(state.Failures))
}
