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

// instrumentedExecutor counts and times the operations of an executor.
type instrumentedExecutor struct {
	executor ports.Executor
	seconds  *prometheus.HistogramVec
}

func newInstrumentedExecutor(executor ports.Executor, registry prometheus.Registerer) instrumentedExecutor {
	e := instrumentedExecutor{executor: executor, seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "rtmanager_operation_duration_seconds", Help: "Duration of operations on games, by result.",
		Buckets: prometheus.ExponentialBuckets(0.01, 3, 10),
	}, []string{"operation", "result"})}
	registry.MustRegister(e.seconds)
	return e
}

// Execute implements ports.Executor. It does not count an operation whose caller's context
// ended first.
func (e instrumentedExecutor) Execute(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	startedAt := time.Now()
	outcome, err := e.executor.Execute(ctx, request, report)
	if ctx.Err() == nil {
		e.seconds.WithLabelValues(string(request.Kind), resultLabel(err)).Observe(time.Since(startedAt).Seconds())
	}
	return outcome, err
}

func resultLabel(err error) string {
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, operation.ErrBusy), errors.Is(err, operation.ErrRejected), errors.Is(err, runtime.ErrInvalid), errors.Is(err, runtime.ErrNotFound):
		return "rejected"
	default:
		return "failed"
	}
}

// driftMetrics collects the findings and the brake of the reconcile worker.
type driftMetrics struct {
	worker          *reconcile.Worker
	findings, brake *prometheus.Desc
}

func newDriftMetrics(worker *reconcile.Worker) driftMetrics {
	return driftMetrics{
		worker:   worker,
		findings: prometheus.NewDesc("rtmanager_drift_findings", "Current findings of drift between records and engine, by kind.", []string{"kind"}, nil),
		brake:    prometheus.NewDesc("rtmanager_brake_engaged", "1 while the brake blocks the removal of records and containers.", nil, nil),
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
	out <- prometheus.MustNewConstMetric(m.brake, prometheus.GaugeValue, boolMetric(m.worker.Brake() != nil))
}
