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
	"galaxy/rtmanager/internal/domain/runtime"
)

// maxApplied is how many findings go into one request.
const maxApplied = 500

// Nodes returns who is present, who leads, and which node answered.
func (c *Client) Nodes(ctx context.Context) (api.Nodes, error) {
	var nodes api.Nodes
	_, err := c.read(ctx, call{path: "/v1/nodes"}, &nodes)
	if err == nil && nodes.Items == nil {
		err = c.notOurs("a list of nodes")
	}
	return nodes, err
}

// Explain returns what the game's node, or else the daemon that is asked, knows of
// the game. One of which nothing is known is runtime.ErrNotFound.
func (c *Client) Explain(ctx context.Context, gameID string) (drift.Explanation, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return drift.Explanation{}, err
	}
	var page drift.Explanation
	if _, err := c.read(ctx, call{path: gamePath(gameID, "/explain")}, &page); err != nil {
		return drift.Explanation{}, err
	}
	if page.GameID != gameID {
		return drift.Explanation{}, c.notOurs("what is known of game " + strconv.Quote(gameID))
	}
	return page, nil
}

// Drift returns what every node finds. Missing names the nodes that did not answer.
func (c *Client) Drift(ctx context.Context) (drift.Report, error) {
	var report drift.Report
	_, err := c.read(ctx, call{path: "/v1/drift"}, &report)
	if err == nil && report.Findings == nil {
		err = c.notOurs("a report of drift")
	}
	return report, err
}

// ApplyDrift has findings of a report acted on, each by its node, and returns a
// result for each, in the same order. It takes as long as the nodes do: only ctx
// bounds it. The actor is who asks, for the ledger; it may be empty. On an error the results are those that had come before.
func (c *Client) ApplyDrift(ctx context.Context, findings []drift.Finding, actor string) ([]drift.ApplyResult, error) {
	header := http.Header{}
	if actor != "" {
		header.Set(api.HeaderActor, api.EncodeHeaderText(actor))
	}
	var results []drift.ApplyResult
	for some := range slices.Chunk(findings, maxApplied) {
		body, err := json.Marshal(api.DriftApply{Findings: some})
		if err != nil {
			return results, fmt.Errorf("encode %d findings: %w", len(some), err)
		}
		var applied api.DriftApplied
		err = c.change(ctx, call{method: http.MethodPost, path: "/v1/drift/apply", header: header, body: body}, &applied, func() bool { return len(applied.Results) == len(some) })
		if err != nil {
			return results, err
		}
		results = append(results, applied.Results...)
	}
	return results, nil
}

// ReleaseBrake lets go on what the brake of the node held back. One that is not on
// is runtime.ErrRefused.
func (c *Client) ReleaseBrake(ctx context.Context, region, node string) error {
	query := url.Values{"region": {region}, "node": {node}}
	var released api.Place
	return c.change(ctx, call{method: http.MethodPost, path: "/v1/drift/release", query: query}, &released, func() bool { return released.Node == node })
}

// change makes one try of what must not be repeated unasked. Without an answer the
// error is runtime.ErrOutcomeUnknown.
func (c *Client) change(ctx context.Context, request call, target any, sound func() bool) error {
	_, err := c.roundTrip(ctx, request, target)
	if err == nil && !sound() {
		err = &sendError{err: c.notOurs("what it was asked for"), mayHaveArrived: true}
	}
	if isAmbiguous(err) && !errors.Is(err, runtime.ErrOutcomeUnknown) {
		return c.unknownOutcome(ctx, err)
	}
	return c.settleRead(ctx, err)
}
