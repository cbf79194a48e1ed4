package cleanup

import (
	"context"
	"fmt"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// listAbandoned returns the due games that no node deletes as its own: those without a node,
// those of nodes that have been absent for AbsentGrace, and those of nodes that are not known.
// It returns none unless this node leads its region.
func (r *Retention) listAbandoned(ctx context.Context) ([]runtime.VersionedRecord, error) {
	nodes, err := r.deps.Nodes.Overview(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the nodes: %w", err)
	}
	if nodes.IsStale || !nodes.IsLeader(node.Ref{Region: r.cfg.Region, Name: r.cfg.Node}) {
		clear(r.absentSince)
		return nil, nil
	}
	removed, err := r.listRemoved(ctx, node.Ref{})
	if err != nil {
		return nil, err
	}
	hasRegion := map[string]bool{}
	for _, n := range nodes.Present {
		hasRegion[n.Region] = true
	}
	var abandoned []runtime.VersionedRecord
	for _, v := range removed {
		ref := node.RefOf(v.Record)
		if ref.Region != r.cfg.Region && hasRegion[ref.Region] {
			continue // the leader of that region
		}
		if nodes.Maintenance.PauseOf(ref) != nil {
			continue
		}
		if ref.Name == "" || r.isAbandoned(ref, nodes) {
			abandoned = append(abandoned, v)
		}
	}
	return abandoned, nil
}

// isAbandoned reports whether the node is not known, or has been absent for AbsentGrace. The
// worker measures that itself, so a new leader measures from zero.
func (r *Retention) isAbandoned(ref node.Ref, nodes node.Overview) bool {
	if n, isPresent := node.Find(nodes.Present, ref); isPresent && n.Engine != "" {
		delete(r.absentSince, ref)
		return false
	}
	if _, isKnown := nodes.FindAbsent(ref); !isKnown {
		return true
	}
	since, isKnown := r.absentSince[ref]
	if !isKnown {
		since = r.cfg.Clock()
		r.absentSince[ref] = since
	}
	return r.cfg.Clock().Sub(since) >= r.cfg.AbsentGrace
}
