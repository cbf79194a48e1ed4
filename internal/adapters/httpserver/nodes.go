package httpserver

import (
	"context"
	"fmt"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/node"
)

type nodesOutput struct{ Body api.Nodes }

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
	return &nodesOutput{Body: api.Nodes{
		Answered: api.Place{Region: s.cfg.Region, Node: s.cfg.Node},
		Items:    append([]node.Node{}, present...), Leaders: leaders,
	}}, nil
}

// leaders returns who leads each region that has a node.
func (s *Server) leaders(ctx context.Context, present []node.Node) ([]api.Place, error) {
	leaders := []api.Place{}
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
			leaders = append(leaders, api.Place{Region: leader.Region, Node: leader.Node})
		}
	}
	return leaders, nil
}
