package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/etcdconn"
)

// endpointMetrics collects what is known about the endpoints of an external etcd.
type endpointMetrics struct {
	read                    func() []etcdconn.EndpointStatus
	up, roundTrip, selected *prometheus.Desc
}

func newEndpointMetrics(read func() []etcdconn.EndpointStatus) *endpointMetrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("rtmanager_etcd_endpoint_"+name, help, []string{"endpoint"}, nil)
	}
	return &endpointMetrics{
		read:      read,
		up:        desc("up", "1 while the endpoint of etcd serves requests."),
		roundTrip: desc("round_trip_seconds", "Smoothed round trip to the endpoint of etcd, in seconds."),
		selected:  desc("selected", "1 for the endpoint of etcd that requests are sent to."),
	}
}

// Describe implements prometheus.Collector.
func (m *endpointMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.up
	out <- m.roundTrip
	out <- m.selected
}

// Collect implements prometheus.Collector.
func (m *endpointMetrics) Collect(out chan<- prometheus.Metric) {
	for _, e := range m.read() {
		gauge := func(desc *prometheus.Desc, value float64) {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, e.URL)
		}
		gauge(m.up, boolMetric(e.State == etcdconn.StateHealthy))
		gauge(m.selected, boolMetric(e.Selected))
		if e.RoundTrip > 0 {
			gauge(m.roundTrip, e.RoundTrip.Seconds())
		}
	}
}
