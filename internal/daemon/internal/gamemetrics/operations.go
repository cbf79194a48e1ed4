package gamemetrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/domain/operation"
)

// Operations collects the operations in progress of a node.
type Operations struct {
	inProgress func() map[operation.Kind]int
	desc       *prometheus.Desc
}

// NewOperations returns the collector of the numbers that inProgress returns.
func NewOperations(inProgress func() map[operation.Kind]int) *Operations {
	return &Operations{inProgress, prometheus.NewDesc("rtmanager_operations_in_progress", "Operations in progress of this node, by kind.", []string{"kind"}, nil)}
}

// Describe implements prometheus.Collector.
func (o *Operations) Describe(out chan<- *prometheus.Desc) { out <- o.desc }

// Collect implements prometheus.Collector. Every kind has a series, also with 0.
func (o *Operations) Collect(out chan<- prometheus.Metric) {
	counts := o.inProgress()
	for _, kind := range []operation.Kind{
		operation.KindStart, operation.KindStop, operation.KindRestart, operation.KindPatch, operation.KindCleanup, operation.KindReschedule, operation.KindMove,
	} {
		out <- prometheus.MustNewConstMetric(o.desc, prometheus.GaugeValue, float64(counts[kind]), string(kind))
	}
}
