package httpserver

import (
	"context"

	"galaxy/rtmanager/internal/domain/drift"
)

type explainInput struct {
	GameInput
	Forwarded string `header:"Rtmanager-Forwarded" hidden:"true"`
}

type explainOutput struct{ Body drift.Explanation }

// explainRuntime handles GET /v1/runtimes/{game_id}/explain.
func (s *Server) explainRuntime(ctx context.Context, in *explainInput) (*explainOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	ctx, stop := s.withDrain(ctx)
	defer stop()
	page, err := s.cfg.Cluster.Explain(ctx, id, in.Forwarded != "")
	if err != nil {
		return nil, s.fail(ctx, err, inPath)
	}
	page.History = orEmpty(page.History)
	page.Containers = orEmpty(page.Containers)
	page.Logs = orEmpty(page.Logs)
	page.Findings = orEmpty(page.Findings)
	page.Warnings = orEmpty(page.Warnings)
	return &explainOutput{Body: page}, nil
}

// orEmpty returns an empty list for a nil one, which JSON would write as null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
