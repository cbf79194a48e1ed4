package httpserver

import (
	"context"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
)

type driftInput struct {
	Scope string `query:"scope" enum:"all,node" default:"all" doc:"Whose findings: those of every node, requested at the same time, or those of the node that responds"`
}

type driftOutput struct{ Body drift.Report }

// getDrift handles GET /v1/drift.
func (s *Server) getDrift(ctx context.Context, in *driftInput) (*driftOutput, error) {
	ctx, stop := s.withDrain(ctx)
	defer stop()
	read := s.cfg.Cluster.Drift
	if in.Scope == "node" {
		read = s.cfg.Cluster.LocalDrift
	}
	report, err := read(ctx)
	if err != nil {
		return nil, s.fail(ctx, err, inQuery)
	}
	report.Findings, report.Brakes, report.Missing = orEmpty(report.Findings), orEmpty(report.Brakes), orEmpty(report.Missing)
	return &driftOutput{Body: report}, nil
}

type applyInput struct {
	Actor     string `header:"Rtmanager-Actor" doc:"Who requests it, for the ledger; text beyond ASCII in the notation of RFC 8187"`
	Forwarded string `header:"Rtmanager-Forwarded" hidden:"true"`
}

type applyOutput struct{ Body api.DriftApplied }

// applyDrift handles POST /v1/drift/apply.
func (s *Server) applyDrift(ctx context.Context, in *applyInput) (*applyOutput, error) {
	var apply api.DriftApply
	if _, err := decodeBody(s.registry, s.bodies.apply, bodyOf(ctx), &apply); err != nil {
		return nil, err
	}
	origin, err := OriginInput{Actor: in.Actor}.origin("")
	if err == nil {
		err = origin.Validate()
	}
	if err != nil {
		return nil, s.fail(ctx, err, inRecordBody)
	}
	ctx, stop := s.withDrain(ctx)
	defer stop()
	results := s.cfg.Cluster.ApplyDrift(ctx, apply.Findings, origin.Actor, in.Forwarded != "")
	for _, r := range results {
		s.cfg.Logger.Info("finding applied", "verb", "apply", "id", r.ID, "game_id", r.GameID, "node", r.Region+"/"+r.Node,
			"action", r.Action, "result", r.Status, "reason", r.Reason, "actor", origin.Actor)
	}
	return &applyOutput{Body: api.DriftApplied{Results: results}}, nil
}

type releaseInput struct {
	Region    string `query:"region" doc:"The region of the node whose brake is to be released; absent is that of the daemon that responds"`
	Node      string `query:"node" doc:"The node whose brake is to be released; absent is the daemon that responds"`
	Forwarded string `header:"Rtmanager-Forwarded" hidden:"true"`
}

type releaseOutput struct{ Body node.Ref }

// releaseBrake handles POST /v1/drift/release.
func (s *Server) releaseBrake(ctx context.Context, in *releaseInput) (*releaseOutput, error) {
	if in.Region != "" && in.Node == "" {
		return nil, badRequest("query.node", "is required with a region: each node has a brake of its own")
	}
	ctx, stop := s.withDrain(ctx)
	defer stop()
	released, err := s.cfg.Cluster.ReleaseBrake(ctx, node.Ref{Region: in.Region, Name: in.Node}, in.Forwarded != "")
	if err != nil {
		s.cfg.Logger.Info("brake not released", "verb", "release", "node", released.String(), "error", err)
		return nil, s.fail(ctx, err, inQuery)
	}
	s.cfg.Logger.Info("brake released", "verb", "release", "node", released.String())
	return &releaseOutput{Body: released}, nil
}
