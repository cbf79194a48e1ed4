package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/workers/reconcile"
)

// measured counts and times the operations of an operator.
type measured struct {
	operator ports.Executor
	seconds  *prometheus.HistogramVec
}

func newMeasured(operator ports.Executor, registry prometheus.Registerer) measured {
	m := measured{operator: operator, seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "rtmanager_operation_duration_seconds", Help: "How long operations on games took, by their result.",
		Buckets: prometheus.ExponentialBuckets(0.01, 3, 10),
	}, []string{"operation", "result"})}
	registry.MustRegister(m.seconds)
	return m
}

// Execute implements ports.Executor.
func (m measured) Execute(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	began := time.Now()
	outcome, err := m.operator.Execute(ctx, request, report)
	if ctx.Err() == nil { // who left did not see the end
		m.seconds.WithLabelValues(string(request.Kind), resultOf(err)).Observe(time.Since(began).Seconds())
	}
	return outcome, err
}

func resultOf(err error) string {
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, operation.ErrBusy), errors.Is(err, operation.ErrRefused), errors.Is(err, runtime.ErrInvalid), errors.Is(err, runtime.ErrNotFound):
		return "refused"
	default:
		return "failed"
	}
}

// driftMetrics shows what the reconcile worker knows.
type driftMetrics struct {
	worker          *reconcile.Worker
	findings, brake *prometheus.Desc
}

func newDriftMetrics(worker *reconcile.Worker) driftMetrics {
	return driftMetrics{
		worker:   worker,
		findings: prometheus.NewDesc("rtmanager_drift_findings", "Disagreements between records and engine at the latest look.", []string{"kind"}, nil),
		brake:    prometheus.NewDesc("rtmanager_brake_on", "1 while the brake holds back what would take records or containers away.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (m driftMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.findings
	out <- m.brake
}

// Collect implements prometheus.Collector.
func (m driftMetrics) Collect(out chan<- prometheus.Metric) {
	byKind := map[drift.Kind]int{}
	for _, f := range m.worker.AllFindings() {
		byKind[f.Kind]++
	}
	for kind, n := range byKind {
		out <- prometheus.MustNewConstMetric(m.findings, prometheus.GaugeValue, float64(n), string(kind))
	}
	on := 0.0
	if m.worker.Brake() != nil {
		on = 1
	}
	out <- prometheus.MustNewConstMetric(m.brake, prometheus.GaugeValue, on)
}
