package httpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Operation requests one operation.
type Operation struct {
	ports.OperationRequest
	// Region and Node select where to start a game that has no node yet. If they are
	// empty, the daemon selects the node.
	Region, Node string
	// Until is the state to wait for; the zero value is WaitDone.
	Until Wait
}

// Wait is the state of an operation at which RunOperation returns.
type Wait string

// The states to wait for: the operation is finished, the game's container runs, or the
// operation has been accepted.
const (
	WaitDone     Wait = "done"
	WaitRunning  Wait = "running"
	WaitAccepted Wait = "accepted"
)

// Execute implements ports.Executor for games of any node: the daemon forwards the
// request. It fails with node.ErrUnreachable if the game's node cannot be reached. It
// may report the same progress twice if the connection was lost in between.
func (c *Client) Execute(ctx context.Context, request ports.OperationRequest, onProgress func(operation.Progress)) (operation.Outcome, error) {
	result, err := c.RunOperation(ctx, Operation{OperationRequest: request}, onProgress)
	if result.Outcome == nil {
		return operation.Outcome{}, err
	}
	return *result.Outcome, err
}

// RunOperation executes an operation, like Execute, and lets the caller select the state to
// wait for and the node. If the operation fails, RunOperation returns an error and a result
// with the outcome.
//
// The operation id, which RunOperation generates if it is empty, is the idempotency key:
// if a response is lost, the request is retried and joins the operation that it
// started. Once the operation may have started, the error is runtime.ErrOutcomeUnknown if
// ctx ends, or if the server sends nothing for Config.WriteTimeout. If ctx ended, the error
// matches the error of ctx too.
func (c *Client) RunOperation(ctx context.Context, o Operation, onProgress func(operation.Progress)) (api.OperationResult, error) {
	if err := errors.Join(runtime.ValidateGameID(o.GameID), o.Origin.Validate()); err != nil {
		return api.OperationResult{}, err
	}
	if o.Origin.OperationID == "" {
		o.Origin.OperationID = operation.NewID()
	}
	request, err := o.apiRequest()
	if err != nil {
		return api.OperationResult{}, err
	}
	stream := &operationStream{client: c, request: request, operation: o, onProgress: onProgress}
	return stream.run(ctx)
}

// ExplainStart returns on which node a start would run the game, and why. It changes nothing. A
// placement without a node that fits is no error.
func (c *Client) ExplainStart(ctx context.Context, o Operation) (api.Placement, error) {
	if err := runtime.ValidateGameID(o.GameID); err != nil {
		return api.Placement{}, err
	}
	request, err := o.apiRequest()
	if err != nil {
		return api.Placement{}, err
	}
	request.query = url.Values{"dry_run": {"true"}}
	request.header = http.Header{}
	var result api.OperationResult
	if _, err := c.roundTrip(ctx, request, &result); err != nil {
		return api.Placement{}, c.unavailableError(ctx, err)
	}
	if result.Placement == nil || result.GameID != o.GameID {
		return api.Placement{}, c.unexpectedResponseError("the placement of game " + strconv.Quote(o.GameID))
	}
	return *result.Placement, nil
}

// apiRequest returns the request, which is the same for every attempt.
func (o Operation) apiRequest() (apiRequest, error) {
	body, err := o.requestBody()
	if err != nil {
		return apiRequest{}, fmt.Errorf("encode the %s of game %q: %w", o.Kind, o.GameID, err)
	}
	header := originHeader(o.Origin)
	header.Set("Accept", api.NDJSONMediaType)
	if o.Origin.Reason != "" {
		header.Set(api.HeaderReason, api.EncodeHeaderText(o.Origin.Reason))
	}
	query := url.Values{}
	setIfGiven(query, "wait", string(o.Until))
	return apiRequest{
		method: http.MethodPost, path: gamePath(o.GameID, "/"+url.PathEscape(string(o.Kind))), query: query, header: header, body: body,
	}, nil
}

func (o Operation) requestBody() ([]byte, error) {
	switch {
	case o.Kind == operation.KindPatch:
		return json.Marshal(api.PatchRequest{Image: o.Image, Spec: o.Spec, Force: o.Force, Pull: o.Pull})
	case o.Kind == operation.KindStop && o.StopGrace != nil:
		grace := operation.Duration(*o.StopGrace)
		return json.Marshal(api.StopRequest{Grace: &grace})
	case o.Kind == operation.KindMove && o.Target != nil:
		return json.Marshal(api.MoveRequest{Region: o.Target.Region, Node: o.Target.Name, Force: o.Force})
	case o.Kind != operation.KindStart:
		return []byte("{}"), nil
	case o.Spec != nil:
		return json.Marshal(api.StartRequest{Spec: *o.Spec, Labels: o.Labels, Metadata: o.Metadata, Pull: o.Pull, Region: o.Region, Node: o.Node})
	}
	options := map[string]any{}
	if o.Pull {
		options["pull"] = true
	}
	if o.Labels != nil {
		options["labels"] = o.Labels
	}
	if o.Metadata != "" {
		options["metadata"] = o.Metadata
	}
	for name, value := range map[string]string{"region": o.Region, "node": o.Node} {
		if value != "" {
			options[name] = value
		}
	}
	return json.Marshal(options)
}
