package peer

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
)

// Explain returns the explanation of the game, as the node reports it.
func (c *Client) Explain(ctx context.Context, target node.Node, gameID string) (drift.Explanation, error) {
	var explanation drift.Explanation
	err := c.do(ctx, target, call{method: http.MethodGet, path: gamePath(gameID) + "/explain"}, &explanation)
	return explanation, err
}

// Drift returns the findings of the node.
func (c *Client) Drift(ctx context.Context, target node.Node) (drift.Report, error) {
	var report drift.Report
	err := c.do(ctx, target, call{method: http.MethodGet, path: "/v1/drift", query: url.Values{"scope": {"node"}}}, &report)
	if err == nil && (report.Findings == nil || report.Brakes == nil || report.Missing == nil) {
		// An empty report has empty lists. A response without lists is not a report.
		err = unreachableError(ctx, target, errors.New("its response is not a report"))
	}
	return report, err
}

// ApplyDrift requests the actions of findings from the node.
func (c *Client) ApplyDrift(ctx context.Context, target node.Node, findings []drift.Finding, actor string) ([]drift.ApplyResult, error) {
	var applied api.DriftApplied
	err := c.do(ctx, target, call{method: http.MethodPost, path: "/v1/drift/apply", body: api.DriftApply{Findings: findings}, actor: actor}, &applied)
	return applied.Results, err
}

// ReleaseBrake releases the node's brake.
func (c *Client) ReleaseBrake(ctx context.Context, target node.Node) error {
	query := url.Values{"region": {target.Region}, "node": {target.Name}}
	return c.do(ctx, target, call{method: http.MethodPost, path: "/v1/drift/release", query: query}, &node.Ref{})
}

func gamePath(gameID string) string { return "/v1/runtimes/" + url.PathEscape(gameID) }
