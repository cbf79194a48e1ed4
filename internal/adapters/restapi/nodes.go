package restapi

import (
	"context"
	"fmt"

	"galaxy/rtmanager/internal/adapters/restapi/wire"
	"galaxy/rtmanager/internal/ports"
)

type nodesOutput struct{ Body wire.Nodes }

func (s *Server) getNodes(ctx context.Context, _ *emptyInput) (*nodesOutput, error) {
	if s.cfg.Nodes == nil {
		return nil, notOffered("this daemon does not take part among the nodes, and knows of none")
	}
	present, err := s.cfg.Nodes.Nodes(ctx)
	if err != nil {
		return nil, s.fail(ctx, fmt.Errorf("list the nodes: %w", err), inQuery)
	}
	leaders, err := s.leaders(ctx, present)
	if err != nil {
		return nil, s.fail(ctx, err, inQuery)
	}
	return &nodesOutput{Body: wire.Nodes{
		Answered: wire.Place{Region: s.cfg.Region, Node: s.cfg.Node},
		Items:    append([]ports.Node{}, present...), Leaders: leaders,
	}}, nil
}

// leaders returns who leads each region that has a node.
func (s *Server) leaders(ctx context.Context, present []ports.Node) ([]wire.Place, error) {
	leaders := []wire.Place{}
	asked := map[string]bool{}
	for _, node := range present {
		if asked[node.Region] {
			continue
		}
		asked[node.Region] = true
		leader, found, err := s.cfg.Nodes.Leader(ctx, node.Region)
		if err != nil {
			return nil, fmt.Errorf("see who leads region %q: %w", node.Region, err)
		}
		if found {
			leaders = append(leaders, wire.Place{Region: leader.Region, Node: leader.Node})
		}
	}
	return leaders, nil
}
