package httpserver

import (
	"context"

	"galaxy/rtmanager/internal/api"
)

type nodesOutput struct{ Body api.Nodes }

// getNodes handles GET /v1/nodes.
func (s *Server) getNodes(ctx context.Context, _ *emptyInput) (*nodesOutput, error) {
	present, leaders, err := s.cfg.Cluster.Nodes(ctx)
	if err != nil {
		return nil, s.fail(ctx, err, inQuery)
	}
	return &nodesOutput{Body: api.Nodes{Responder: s.self(), Items: orEmpty(present), Leaders: orEmpty(leaders)}}, nil
}
