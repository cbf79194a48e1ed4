package httpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// maxFindingsPerRequest is the maximum number of findings of one request.
const maxFindingsPerRequest = 500

// RemoveNode removes an absent node from the list of nodes. It fails with
// operation.ErrRejected for a present node, and for one that records name unless isForced.
func (c *Client) RemoveNode(ctx context.Context, ref node.Ref, isForced bool) error {
	query := url.Values{"region": {ref.Region}, "node": {ref.Name}}
	if isForced {
		query.Set("force", "true")
	}
	var removed node.Ref
	return c.changeOnce(ctx, apiRequest{method: http.MethodDelete, path: "/v1/nodes", query: query}, &removed, func() bool { return removed == ref })
}

// Nodes returns the present and the absent nodes, the leaders, and the node that responded.
func (c *Client) Nodes(ctx context.Context) (api.Nodes, error) {
	var nodes api.Nodes
	_, err := c.get(ctx, apiRequest{path: "/v1/nodes"}, &nodes)
	if err == nil && nodes.Items == nil {
		err = c.unexpectedResponseError("a list of nodes")
	}
	return nodes, err
}

// Explain returns the state and history of a game, as its node reports them. If there is no
// such node, the daemon of this client reports them. It fails with runtime.ErrNotFound for
// a game that has neither a record nor a container.
func (c *Client) Explain(ctx context.Context, gameID string) (drift.Explanation, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return drift.Explanation{}, err
	}
	var page drift.Explanation
	if _, err := c.get(ctx, apiRequest{path: gamePath(gameID, "/explain")}, &page); err != nil {
		return drift.Explanation{}, err
	}
	if page.GameID != gameID {
		return drift.Explanation{}, c.unexpectedResponseError("an explanation of game " + strconv.Quote(gameID))
	}
	return page, nil
}

// Drift returns the findings of every node that responds. Missing names the others.
func (c *Client) Drift(ctx context.Context) (drift.Report, error) {
	var report drift.Report
	_, err := c.get(ctx, apiRequest{path: "/v1/drift"}, &report)
	if err == nil && report.Findings == nil {
		err = c.unexpectedResponseError("a drift report")
	}
	return report, err
}

// ApplyDrift applies findings of a report, each on its node, and returns one result per
// finding, in the same order. Only ctx bounds its duration. The
// actor is recorded in the ledger and may be empty. On an error ApplyDrift returns the
// results that it has received.
func (c *Client) ApplyDrift(ctx context.Context, findings []drift.Finding, actor string) ([]drift.ApplyResult, error) {
	header := actorHeader(actor)
	var results []drift.ApplyResult
	for chunk := range slices.Chunk(findings, maxFindingsPerRequest) {
		body, err := json.Marshal(api.DriftApply{Findings: chunk})
		if err != nil {
			return results, fmt.Errorf("encode %d findings: %w", len(chunk), err)
		}
		var applied api.DriftApplied
		err = c.changeOnce(ctx, apiRequest{method: http.MethodPost, path: "/v1/drift/apply", header: header, body: body}, &applied,
			func() bool { return len(applied.Results) == len(chunk) })
		if err != nil {
			return results, err
		}
		results = append(results, applied.Results...)
	}
	return results, nil
}

// ReleaseBrake releases the brake of a node, so that the actions it blocks proceed. It
// fails with operation.ErrRejected if the brake is not engaged.
func (c *Client) ReleaseBrake(ctx context.Context, region, name string) error {
	query := url.Values{"region": {region}, "node": {name}}
	var released node.Ref
	return c.changeOnce(ctx, apiRequest{method: http.MethodPost, path: "/v1/drift/release", query: query}, &released, func() bool { return released.Name == name })
}

// changeOnce sends a change that must not be retried without the caller's consent, and
// decodes the response into target, which isValid then checks. The error is
// runtime.ErrOutcomeUnknown if a valid response does not arrive.
func (c *Client) changeOnce(ctx context.Context, request apiRequest, target any, isValid func() bool) error {
	_, err := c.roundTrip(ctx, request, target)
	if err == nil && !isValid() {
		err = &sendError{err: c.unexpectedResponseError("the result of the request"), mayHaveArrived: true}
	}
	if isAmbiguous(err) && !errors.Is(err, runtime.ErrOutcomeUnknown) {
		return c.outcomeUnknownError(ctx, err)
	}
	return c.unavailableError(ctx, err)
}
