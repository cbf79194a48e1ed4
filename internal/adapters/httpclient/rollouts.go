package httpclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/ports"
)

const rolloutsPath = "/v1/rollouts"

func rolloutPath(id, suffix string) string { return rolloutsPath + "/" + url.PathEscape(id) + suffix }

// StartRollout starts a rollout. It is retried under one idempotency key, so that it is started
// once. It fails with rollout.ErrState if a game is part of another rollout.
func (c *Client) StartRollout(ctx context.Context, request api.RolloutRequest, origin ports.Origin) (rollout.Rollout, error) {
	if origin.OperationID == "" {
		origin.OperationID = operation.NewID()
	}
	var started api.RolloutStarted
	err := c.changeRollout(ctx, apiRequest{path: rolloutsPath}, request, origin, &started, func() bool { return started.Rollout != nil && started.Rollout.ID != "" })
	if err != nil {
		return rollout.Rollout{}, err
	}
	return *started.Rollout, nil
}

// PlanRollout returns what a rollout would do, and changes nothing.
func (c *Client) PlanRollout(ctx context.Context, request api.RolloutRequest, origin ports.Origin) (api.RolloutPlan, error) {
	var planned api.RolloutStarted
	err := c.changeRollout(ctx, apiRequest{path: rolloutsPath, query: url.Values{"dry_run": {"true"}}}, request, origin, &planned, func() bool { return planned.Plan != nil })
	if err != nil {
		return api.RolloutPlan{}, err
	}
	return *planned.Plan, nil
}

// changeRollout sends a request that may be repeated, until the response in target is valid.
func (c *Client) changeRollout(ctx context.Context, request apiRequest, body any, origin ports.Origin, target any, isValid func() bool) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	if err := origin.Validate(); err != nil {
		return err
	}
	header := http.Header{}
	for name, text := range map[string]string{
		api.HeaderIdempotencyKey: origin.OperationID, api.HeaderActor: origin.Actor, api.HeaderReason: origin.Reason,
	} {
		if text != "" {
			header.Set(name, api.EncodeHeaderText(text))
		}
	}
	request.method, request.header, request.body = http.MethodPost, header, text
	_, err = c.retryValidWrite(ctx, request, target, isValid, "a rollout")
	return err
}

// Rollouts returns all rollouts, the oldest first.
func (c *Client) Rollouts(ctx context.Context) (api.RolloutList, error) {
	var found api.RolloutList
	_, err := c.get(ctx, apiRequest{path: rolloutsPath}, &found)
	if err == nil && found.Items == nil {
		err = c.unexpectedResponseError("a list of rollouts")
	}
	return found, err
}

// Rollout returns a rollout with its games. It fails with rollout.ErrNotFound for an unknown id.
func (c *Client) Rollout(ctx context.Context, id string) (api.RolloutDetail, error) {
	if err := rollout.ValidateID(id); err != nil {
		return api.RolloutDetail{}, err
	}
	var found api.RolloutDetail
	_, err := c.get(ctx, apiRequest{path: rolloutPath(id, "")}, &found)
	if err == nil && found.ID != id {
		err = c.unexpectedResponseError("rollout " + id)
	}
	return found, err
}

// ChangeRollout pauses, resumes or undoes a rollout, and returns it. It fails with
// rollout.ErrState if the state does not allow that, and with rollout.ErrNotFound for an unknown
// id. A retry of a resume or undo that was applied changes nothing.
func (c *Client) ChangeRollout(ctx context.Context, id string, action rollout.Action, body api.RolloutResume, origin ports.Origin) (rollout.Rollout, error) {
	if err := rollout.ValidateID(id); err != nil {
		return rollout.Rollout{}, err
	}
	var changed rollout.Rollout
	err := c.changeRollout(ctx, apiRequest{path: rolloutPath(id, "/"+string(action))}, body, origin, &changed, func() bool { return changed.ID == id })
	return changed, err
}

// DeleteRollout deletes a rollout that has ended or is paused. It fails as ChangeRollout does.
func (c *Client) DeleteRollout(ctx context.Context, id string, origin ports.Origin) error {
	if err := rollout.ValidateID(id); err != nil {
		return err
	}
	header := actorHeader(origin.Actor)
	if origin.Reason != "" {
		header.Set(api.HeaderReason, api.EncodeHeaderText(origin.Reason))
	}
	return c.retryDelete(ctx, apiRequest{path: rolloutPath(id, ""), header: header}, rollout.ErrNotFound)
}
