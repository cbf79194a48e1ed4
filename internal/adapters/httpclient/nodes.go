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
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
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

// NodeChange is a change of the settings of a node or region.
type NodeChange string

// The changes. NodePause and NodeResume are those of a region too.
const (
	NodeCordon   NodeChange = "cordon"
	NodeUncordon NodeChange = "uncordon"
	NodePause    NodeChange = "pause"
	NodeResume   NodeChange = "resume"
)

// ChangeNode changes the settings of a node and returns them. The change is idempotent, so it
// is retried. It fails with runtime.ErrNotFound for a node that has never joined.
func (c *Client) ChangeNode(ctx context.Context, ref node.Ref, change NodeChange, origin ports.Origin) (node.Settings, error) {
	path := "/v1/nodes/" + url.PathEscape(ref.Region) + "/" + url.PathEscape(ref.Name) + "/" + string(change)
	var changed api.ChangedNode
	err := c.changeSettings(ctx, apiRequest{path: path}, origin, &changed, func() bool { return changed.Ref == ref })
	return changed.Settings, err
}

// DrainNode requests the drain of a node. With isDryRun it changes nothing, and the result has the
// plan. The drain continues after the response; Nodes has its progress. It fails with
// operation.ErrRejected for an absent node.
func (c *Client) DrainNode(ctx context.Context, ref node.Ref, options node.DrainOptions, isDryRun bool, origin ports.Origin) (api.DrainResult, error) {
	body, err := json.Marshal(api.DrainRequest{Deadline: operation.Duration(options.Timeout), StopOnly: options.StopOnly, Force: options.Force})
	if err != nil {
		return api.DrainResult{}, fmt.Errorf("encode the drain of node %s: %w", ref, err)
	}
	path := "/v1/nodes/" + url.PathEscape(ref.Region) + "/" + url.PathEscape(ref.Name) + "/drain"
	query := url.Values{}
	if isDryRun {
		query.Set("dry_run", "true")
	}
	var result api.DrainResult
	err = c.changeSettings(ctx, apiRequest{path: path, query: query, body: body}, origin, &result, func() bool { return result.Ref == ref && (isDryRun || result.Settings != nil) })
	return result, err
}

// ChangeRegion changes the settings of a region and returns them. The change is idempotent, so
// it is retried. It fails with runtime.ErrNotFound for a region in which no node has joined.
func (c *Client) ChangeRegion(ctx context.Context, region string, change NodeChange, origin ports.Origin) (node.RegionSettings, error) {
	var changed api.ChangedRegion
	err := c.changeSettings(ctx, apiRequest{path: "/v1/regions/" + url.PathEscape(region) + "/" + string(change)}, origin, &changed, func() bool { return changed.Region == region })
	return changed.Settings, err
}

// changeSettings sends an idempotent change until the response in target is valid.
func (c *Client) changeSettings(ctx context.Context, request apiRequest, origin ports.Origin, target any, isValid func() bool) error {
	if err := origin.Validate(); err != nil {
		return err
	}
	header := actorHeader(origin.Actor)
	if origin.Reason != "" {
		header.Set(api.HeaderReason, api.EncodeHeaderText(origin.Reason))
	}
	request.method, request.header = http.MethodPost, header
	_, err := c.retryValidWrite(ctx, request, target, isValid, "the changed settings")
	return err
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
