package peer

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

// Offer returns the node's offer for a game.
func (c *Client) Offer(ctx context.Context, target node.Node, gameID string, spec operation.Spec) (node.Offer, error) {
	var offer api.Offer
	isValid := func() bool { return offer.Node == target.Ref().String() }
	err := c.do(ctx, target, call{method: http.MethodPost, path: gamePath(gameID) + "/offer", body: spec, isValid: isValid, want: "an offer of the node"}, &offer)
	return offer.Offer, err
}

// Explain returns the explanation of the game, as the node reports it.
func (c *Client) Explain(ctx context.Context, target node.Node, gameID string) (drift.Explanation, error) {
	var explanation drift.Explanation
	isValid := func() bool { return explanation.GameID == gameID }
	err := c.do(ctx, target, call{method: http.MethodGet, path: gamePath(gameID) + "/explain", isValid: isValid, want: "an explanation of the game"}, &explanation)
	return explanation, err
}

// Drift returns the findings of the node.
func (c *Client) Drift(ctx context.Context, target node.Node) (drift.Report, error) {
	var report drift.Report
	// An empty report has empty lists.
	isValid := func() bool { return report.Findings != nil && report.Brakes != nil && report.Missing != nil }
	err := c.do(ctx, target, call{
		method: http.MethodGet, path: "/v1/drift", query: url.Values{"scope": {"node"}}, isValid: isValid, want: "a report",
	}, &report)
	return report, err
}

// ApplyDrift requests the actions of findings from the node.
func (c *Client) ApplyDrift(ctx context.Context, target node.Node, findings []drift.Finding, actor string) ([]drift.ApplyResult, error) {
	var applied api.DriftApplied
	isValid := func() bool {
		return slices.EqualFunc(applied.Results, findings, func(r drift.ApplyResult, f drift.Finding) bool { return r.ID == f.ID })
	}
	err := c.do(ctx, target, call{
		method: http.MethodPost, path: "/v1/drift/apply", body: api.DriftApply{Findings: findings}, origin: ports.Origin{Actor: actor},
		isValid: isValid, want: "one result for each finding",
	}, &applied)
	return applied.Results, err
}

// ReleaseBrake releases the node's brake.
func (c *Client) ReleaseBrake(ctx context.Context, target node.Node) error {
	query := url.Values{"region": {target.Region}, "node": {target.Name}}
	var released node.Ref
	isValid := func() bool { return released == target.Ref() }
	return c.do(ctx, target, call{method: http.MethodPost, path: "/v1/drift/release", query: query, isValid: isValid, want: "the released node"}, &released)
}

// Operate carries out a stop or a cleanup on the node, and returns when it has ended.
func (c *Client) Operate(ctx context.Context, target node.Node, request ports.OperationRequest) error {
	var result api.OperationResult
	isValid := func() bool { return result.OperationID == request.Origin.OperationID && result.Outcome != nil }
	return c.do(ctx, target, call{
		method: http.MethodPost, path: gamePath(request.GameID) + "/" + string(request.Kind), query: url.Values{"wait": {"done"}}, body: api.EmptyRequest{},
		origin: request.Origin, isValid: isValid, want: "the outcome of the operation",
	}, &result)
}

func gamePath(gameID string) string { return "/v1/runtimes/" + url.PathEscape(gameID) }
