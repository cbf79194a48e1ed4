package cluster

import (
	"context"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
)

// ExplainPlacement returns on which node Route would start a game, with the rank of each node or
// the reason why it does not fit. It changes nothing and reserves nothing. A placement without a
// node that fits is no error. The other errors are those of Route.
func (s *Service) ExplainPlacement(ctx context.Context, request ports.OperationRequest, requested node.Ref) (node.Placement, error) {
	if s.deps.Nodes == nil {
		return node.Placement{}, node.ErrNotMember
	}
	request.Kind = operation.KindStart
	d, err := s.findDestination(ctx, &request, requested, false)
	if err != nil {
		return node.Placement{}, err
	}
	d.readNodes = s.presentNodes
	var search placement.Request
	if d.node.Name == "" {
		if search, err = s.newSearch(ctx, d, request); err == nil && len(search.Nodes) == 0 {
			err = noCandidates(search.Region)
		}
	} else {
		var found *node.Node
		if found, err = s.presentNode(ctx, d.node); err == nil {
			search = newNamedSearch(*found, request, d.intent)
		}
	}
	switch {
	case err != nil:
		return node.Placement{}, err
	case d.node.Name != "" && !d.isStart: // the game runs there, or is being started
		return node.Placement{Region: d.node.Region, Selected: d.node, Nodes: []node.Candidacy{{Node: d.node, Rank: 1, Capacity: search.Nodes[0].Capacity}}}, nil
	}
	return s.scheduler.Explain(ctx, search)
}
