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

// metrics are the metrics of the server. No label has a value that a client can choose.
type metrics struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	streams   prometheus.Gauge
	// rejections counts requests beyond the limits of their callers.
	rejections *prometheus.CounterVec
	events     *prometheus.CounterVec
}

// newMetrics registers the metrics of the server and of the process.
func newMetrics(cfg Config) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rtmanager_http_requests_total", Help: "Number of HTTP requests, by route, method and status code.",
		}, []string{"route", "method", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rtmanager_http_request_duration_seconds", Help: "Duration of HTTP requests, without watch streams.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route", "method"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "rtmanager_watch_streams", Help: "Number of open watch streams.",
		}),
		rejections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rtmanager_http_rejections_total", Help: "Number of requests rejected by the limits of their callers, by reason.",
		}, []string{"reason"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rtmanager_watch_events_total", Help: "Number of events written to watch streams, by type.",
		}, []string{"type"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "rtmanager_build_info", Help: "Always 1; the labels are the versions of the program and of Go.",
		ConstLabels: prometheus.Labels{"version": cfg.Version, "go_version": goruntime.Version()},
	})
	build.Set(1)
	var errs []error
	for _, c := range []prometheus.Collector{m.requests, m.durations, m.streams, m.events, m.rejections, build} {
		errs = append(errs, cfg.Registry.Register(c))
	}
	// The process's own metrics may be registered already: the registry is shared.
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		var registered prometheus.AlreadyRegisteredError
		if err := cfg.Registry.Register(c); err != nil && !errors.As(err, &registered) {
			errs = append(errs, err)
		}
	}
	return m, errors.Join(errs...)
}

// observe counts a request that has ended.
func (m *metrics) observe(request requestInfo, status int) {
	method := request.method
	if !slices.Contains([]string{"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"}, method) {
		method = "other"
	}
	m.requests.WithLabelValues(request.route, method, strconv.Itoa(status)).Inc()
	if !request.isStream {
		m.durations.WithLabelValues(request.route, method).Observe(time.Since(request.started).Seconds())
	}
}
