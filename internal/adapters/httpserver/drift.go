package httpserver

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// driftScope selects the nodes whose findings a report contains.
type driftScope string

const (
	scopeAll  driftScope = "all"
	scopeNode driftScope = "node"
)

type driftInput struct {
	Scope   driftScope `query:"scope" enum:"all,node" default:"all" doc:"The nodes whose findings are returned: all nodes, or the node that responds"`
	Partial bool       `query:"allow_partial" default:"true" doc:"Return the findings of the nodes that respond, and name the others in missing; with false a missing node is a problem with the code partial"`
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
	s.hideOtherGames(r.Context(), &report)
	if len(report.Missing) > 0 && !in.Partial {
		return partialError(report.Missing)
	}
	report.Findings, report.Brakes, report.Missing = orEmpty(report.Findings), orEmpty(report.Brakes), orEmpty(report.Missing)
	return writeJSON(w, http.StatusOK, report)
}

// partialError is the error of a report that lacks the findings of nodes.
func partialError(missing []drift.UnreachableNode) error {
	partial := new(runtime.PartialError)
	for _, m := range missing {
		partial.Missing = append(partial.Missing, runtime.MissingPart{Region: m.Region, Node: m.Node, Reason: m.Reason})
	}
	return partial
}

// hideOtherGames removes what is about games and regions that the caller may not read.
func (s *Server) hideOtherGames(ctx context.Context, report *drift.Report) {
	c := callers.Of(ctx)
	if c.Visible() == nil {
		return
	}
	report.Findings = slices.DeleteFunc(report.Findings, func(f drift.Finding) bool {
		return s.checkGameIn(ctx, access.PermissionRead, f.Region, f.GameID) != nil
	})
	report.Brakes = slices.DeleteFunc(report.Brakes, func(b drift.Brake) bool { return !c.CanReadRegion(b.Region) })
	report.Missing = slices.DeleteFunc(report.Missing, func(u drift.UnreachableNode) bool { return !c.CanReadRegion(u.Region) })
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
	for _, f := range in.Body.Value.Findings {
		// A node applies only its own present findings: the region is that of the game there.
		if err := s.checkGameIn(r.Context(), access.PermissionOperate, f.Region, f.GameID); err != nil {
			return err
		}
	}
	trailOf(r.Context()).describe("", describeFindings(in.Body.Value.Findings))
	results := s.cfg.Cluster.ApplyDrift(r.Context(), in.Body.Value.Findings, origin.Actor, in.Forwarded != "")
	for _, result := range results {
		s.cfg.Logger.Info("finding applied", "verb", "apply", "id", result.ID, "game_id", result.GameID, "node", result.Region+"/"+result.Node,
			"action", result.Action, "result", result.Status, "reason", result.Reason, "actor", origin.Actor)
	}
	return writeJSON(w, http.StatusOK, api.DriftApplied{Results: results})
}

// describeFindings returns the action and the game of each finding, for the audit log.
func describeFindings(findings []drift.Finding) string {
	texts := make([]string, len(findings))
	for i, f := range findings {
		texts[i] = string(f.Action) + " " + f.GameID
	}
	return strings.Join(texts, ", ")
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
	region := cmp.Or(in.Region, s.cfg.Region)
	if _, forEvery := callers.Of(r.Context()).Rights.AllowsRegion(access.PermissionOperate, region); !forEvery {
		return callers.Of(r.Context()).Forbidden(access.PermissionOperate, "every game of region "+region)
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
