package gamemetrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/ports"
)

// Election shows which regions the node leads.
type Election struct {
	ports.Election
	leads *prometheus.GaugeVec
}

// NewElection returns a decorator of inner for a node of the region, which has a series from the start.
func NewElection(inner ports.Election, region string, registry prometheus.Registerer) *Election {
	e := &Election{inner, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "rtmanager_node_leader", Help: "1 while this node leads the region, or cares for it if it has no present node.",
	}, []string{"scope"})}
	registry.MustRegister(e.leads)
	e.leads.WithLabelValues(region)
	return e
}

// Lead implements ports.Election.
func (e *Election) Lead(ctx context.Context, scope string, work func(ctx context.Context, fence node.Fence) error) error {
	return e.Election.Lead(ctx, scope, func(ctx context.Context, fence node.Fence) error {
		leads := e.leads.WithLabelValues(scope)
		leads.Set(1)
		defer leads.Set(0)
		return work(ctx, fence)
	})
}
