package httpserver

import (
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/node"
)

// driftScope selects the nodes whose findings a report contains.
type driftScope string

const (
	scopeAll  driftScope = "all"
	scopeNode driftScope = "node"
)

type driftInput struct {
	Scope driftScope `query:"scope" enum:"all,node" default:"all" doc:"The nodes whose findings are returned: all nodes, or the node that responds"`
}

// getDrift handles GET /v1/drift.
func (s *Server) getDrift(w http.ResponseWriter, r *http.Request, in *driftInput) error {
	read := s.cfg.Cluster.Drift
	if in.Scope == scopeNode {
		read = s.cfg.Cluster.LocalDrift
	}
	report, err := read(r.Context())
	if err != nil {
		return err
	}
	report.Findings, report.Brakes, report.Missing = orEmpty(report.Findings), orEmpty(report.Brakes), orEmpty(report.Missing)
	return writeJSON(w, http.StatusOK, report)
}

type applyInput struct {
	Actor     string                       `header:"Rtmanager-Actor" field:"actor" doc:"The actor, for the ledger; text beyond ASCII in the notation of RFC 8187"`
	Forwarded string                       `header:"Rtmanager-Forwarded" hidden:"true"`
	Body      request.Body[api.DriftApply] `body:"required"`
}

// applyDrift handles POST /v1/drift/apply.
func (s *Server) applyDrift(w http.ResponseWriter, r *http.Request, in *applyInput) error {
	origin, err := originInput{Actor: in.Actor}.origin("")
	if err == nil {
		err = origin.Validate()
	}
	if err != nil {
		return err
	}
	results := s.cfg.Cluster.ApplyDrift(r.Context(), in.Body.Value.Findings, origin.Actor, in.Forwarded != "")
	for _, result := range results {
		s.cfg.Logger.Info("finding applied", "verb", "apply", "id", result.ID, "game_id", result.GameID, "node", result.Region+"/"+result.Node,
			"action", result.Action, "result", result.Status, "reason", result.Reason, "actor", origin.Actor)
	}
	return writeJSON(w, http.StatusOK, api.DriftApplied{Results: results})
}

type releaseInput struct {
	Region    string `query:"region" doc:"The region of the node whose brake is released; absent means the region of the daemon that responds"`
	Node      string `query:"node" doc:"The node whose brake is released; absent means the daemon that responds"`
	Forwarded string `header:"Rtmanager-Forwarded" hidden:"true"`
}

// releaseBrake handles POST /v1/drift/release.
func (s *Server) releaseBrake(w http.ResponseWriter, r *http.Request, in *releaseInput) error {
	if in.Region != "" && in.Node == "" {
		return problem.BadRequest("query.node", "is required with a region: each node has a brake of its own")
	}
	released, err := s.cfg.Cluster.ReleaseBrake(r.Context(), node.Ref{Region: in.Region, Name: in.Node}, in.Forwarded != "")
	log := s.cfg.Logger.With("verb", "release", "node", released.String())
	if err != nil {
		log.Info("brake not released", "error", err)
		return err
	}
	log.Info("brake released")
	return writeJSON(w, http.StatusOK, released)
}
