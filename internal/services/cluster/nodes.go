package cluster

import (
	"context"
	"fmt"

	"galaxy/rtmanager/internal/domain/node"
)

// Nodes returns the present nodes, ordered by region and name, and the leaders of
// their regions. A region without a leader is left out. It returns node.ErrNotMember if
// this daemon is not part of a cluster.
func (s *Service) Nodes(ctx context.Context) (present []node.Node, leaders []node.Ref, err error) {
	if s.deps.Nodes == nil {
		return nil, nil, node.ErrNotMember
	}
	if present, err = s.presentNodes(ctx); err != nil {
		return nil, nil, err
	}
	regions := map[string]bool{}
	for _, n := range present {
		if regions[n.Region] {
			continue
		}
		regions[n.Region] = true
		leader, found, err := s.deps.Nodes.Leader(ctx, n.Region)
		if err != nil {
			return nil, nil, fmt.Errorf("read the leader of region %q: %w", n.Region, err)
		}
		if found {
			leaders = append(leaders, node.Ref{Region: leader.Region, Name: leader.Node})
		}
	}
	return present, leaders, nil
}
