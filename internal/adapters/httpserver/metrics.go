package httpserver

import (
	"errors"
	goruntime "runtime"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are the server's own. No label takes a value that a client makes up.
type metrics struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	streams   prometheus.Gauge
	events    *prometheus.CounterVec
}

func newMetrics(cfg Config) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rtmanager_http_requests_total", Help: "Requests answered.",
		}, []string{"route", "method", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rtmanager_http_request_duration_seconds", Help: "Time to answer a request, watch streams excepted.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route", "method"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "rtmanager_watch_streams", Help: "Watch streams open now.",
		}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rtmanager_watch_events_total", Help: "Events written to watch streams.",
		}, []string{"type"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "rtmanager_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": cfg.Version, "go_version": goruntime.Version()},
	})
	build.Set(1)
	var errs []error
	for _, c := range []prometheus.Collector{m.requests, m.durations, m.streams, m.events, build} {
		errs = append(errs, cfg.Registry.Register(c))
	}
	// The process's own metrics may be there already: the registry is shared.
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		var twice prometheus.AlreadyRegisteredError
		if err := cfg.Registry.Register(c); err != nil && !errors.As(err, &twice) {
			errs = append(errs, err)
		}
	}
	return m, errors.Join(errs...)
}

func (m *metrics) observe(seen request, status int) {
	method := seen.method
	if !slices.Contains([]string{"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"}, method) {
		method = "other"
	}
	m.requests.WithLabelValues(seen.route, method, strconv.Itoa(status)).Inc()
	if seen.route != routeWatch {
		m.durations.WithLabelValues(seen.route, method).Observe(time.Since(seen.started).Seconds())
	}
}
