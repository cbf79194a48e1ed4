package gamemetrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

// Prober counts health checks.
type Prober struct {
	ports.HealthProber
	checks *prometheus.CounterVec
}

// NewProber returns a decorator of inner.
func NewProber(inner ports.HealthProber, registry prometheus.Registerer) *Prober {
	p := &Prober{inner, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rtmanager_health_checks_total", Help: "Health checks of games by this node, by result.",
	}, []string{"result"})}
	registry.MustRegister(p.checks)
	for _, result := range []string{"passed", "failed"} {
		p.checks.WithLabelValues(result)
	}
	return p
}

// Probe implements ports.HealthProber. It does not count a check that ctx has ended.
func (p *Prober) Probe(ctx context.Context, target operation.HealthTarget) error {
	err := p.HealthProber.Probe(ctx, target)
	switch {
	case err == nil:
		p.checks.WithLabelValues("passed").Inc()
	case ctx.Err() == nil:
		p.checks.WithLabelValues("failed").Inc()
	}
	return err
}
