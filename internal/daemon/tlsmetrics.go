package daemon

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/tlsfiles"
)

// tlsMetrics collects the validity of the certificates in use. A collection checks the files,
// so that an idle daemon reports a broken one.
type tlsMetrics struct {
	files                           []tlsMetric
	notAfter, days, failures, valid *prometheus.Desc
}

// tlsMetric is the state of one file and the value of its label.
type tlsMetric struct {
	use   string
	state func() tlsfiles.State
}

// newTLSMetrics collects the files of the API and of etcd.
func newTLSMetrics(api tlsfiles.Client, etcd *Etcd) *tlsMetrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("rtmanager_tls_"+name, help, []string{"use"}, nil)
	}
	m := &tlsMetrics{
		notAfter: desc("certificate_not_after_timestamp_seconds", "Time at which the certificate in use expires, in seconds since 1970; of a file of authorities, the first one that expires."),
		days:     desc("certificate_expiry_days", "Days until the certificate in use expires, negative once it has."),
		failures: desc("reload_failures_total", "Readings of a certificate file that failed; the previous content remained in use."),
		valid:    desc("files_valid", "1 while the files can be used, 0 while an earlier content is in use."),
	}
	m.add("api", "client_ca", api)
	m.add("etcd_client", "etcd_ca", etcd.tls)
	m.add("etcd_listen", "etcd_listen_ca", etcd.clientListener)
	m.add("etcd_peer", "etcd_peer_ca", etcd.peerListener)
	return m
}

func (m *tlsMetrics) add(certUse, caUse string, files tlsfiles.Client) {
	if files.Cert != nil {
		m.files = append(m.files, tlsMetric{certUse, files.Cert.State})
	}
	if files.Roots != nil {
		m.files = append(m.files, tlsMetric{caUse, files.Roots.State})
	}
}

// Describe implements prometheus.Collector.
func (m *tlsMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{m.notAfter, m.days, m.failures, m.valid} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (m *tlsMetrics) Collect(out chan<- prometheus.Metric) {
	for _, file := range m.files {
		state := file.state()
		send := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64) {
			out <- prometheus.MustNewConstMetric(desc, kind, value, file.use)
		}
		send(m.notAfter, prometheus.GaugeValue, float64(state.NotAfter.Unix()))
		send(m.days, prometheus.GaugeValue, time.Until(state.NotAfter).Hours()/24)
		send(m.failures, prometheus.CounterValue, float64(state.Failures))
		send(m.valid, prometheus.GaugeValue, boolMetric(state.Err == nil))
	}
}
