package gamemetrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/workers/reconcile"
)

// Remediator counts the restarts of games after crashes.
type Remediator struct {
	reconcile.Remediator
	restarts *prometheus.CounterVec
}

// NewRemediator returns a decorator of inner.
func NewRemediator(inner reconcile.Remediator, registry prometheus.Registerer) *Remediator {
	r := &Remediator{inner, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rtmanager_game_restarts_total", Help: "Restarts of crashed games by this node, by result.",
	}, []string{"result"})}
	registry.MustRegister(r.restarts)
	for _, result := range []string{"done", "failed"} {
		r.restarts.WithLabelValues(result)
	}
	return r
}

// Remediate implements reconcile.Remediator.
func (r *Remediator) Remediate(ctx context.Context, finding drift.Finding, actor string) error {
	err := r.Remediator.Remediate(ctx, finding, actor)
	if finding.Action == drift.ActionRestart && ctx.Err() == nil {
		result := "done"
		if err != nil {
			result = "failed"
		}
		r.restarts.WithLabelValues(result).Inc()
	}
	return err
}
