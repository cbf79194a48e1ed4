package httpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Operation asks for one operation.
type Operation struct {
	ports.OperationRequest
	// Region and Node say where to start a game that has no node yet; empty ones
	// leave it to the daemon.
	Region, Node string
	// Until says how long to wait; the zero value waits until the operation is over.
	Until Wait
}

// Wait is how long to wait for an operation.
type Wait string

// What there is to wait for.
const (
	WaitDone     Wait = "done"
	WaitRunning  Wait = "running"
	WaitAccepted Wait = "accepted"
)

// Execute implements ports.Executor, for games of any node: the daemon that is asked
// passes the request on. A node that is not to be reached is
// runtime.ErrNodeUnreachable. A report may be told twice, when the connection was
// lost in between.
func (c *Client) Execute(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	answer, err := c.Follow(ctx, Operation{OperationRequest: request}, report)
	if answer.Outcome == nil {
		return operation.Outcome{}, err
	}
	return *answer.Outcome, err
}

// Follow is Execute for a caller that need not wait for the end, or says where to
// start a game. An operation that failed is an error beside an answer that has its
// outcome.
//
// The operation id, made here where it is empty, lets the request be repeated: when
// an answer is lost, Follow asks again, and so waits for what it began. When ctx
// ends, or nothing has been heard for Config.WriteTimeout, after the operation may
// have begun, the error errors.Is runtime.ErrOutcomeUnknown, and ctx's own if that ended.
func (c *Client) Follow(ctx context.Context, o Operation, report func(operation.Progress)) (api.OperationAnswer, error) {
	if err := errors.Join(runtime.ValidateGameID(o.GameID), o.Origin.Validate()); err != nil {
		return api.OperationAnswer{}, err
	}
	if o.Origin.OperationID == "" {
		o.Origin.OperationID = newOperationID()
	}
	request, err := o.call()
	if err != nil {
		return api.OperationAnswer{}, err
	}
	f := &following{client: c, request: request, operation: o, report: report}
	return f.run(ctx)
}

// call returns the request, which is the same for every try.
func (o Operation) call() (call, error) {
	body, err := o.body()
	if err != nil {
		return call{}, fmt.Errorf("encode the %s of game %q: %w", o.Kind, o.GameID, err)
	}
	header := originHeader(o.Origin)
	header.Set("Accept", api.NDJSONMediaType)
	if o.Origin.Reason != "" {
		header.Set(api.HeaderReason, api.EncodeHeaderText(o.Origin.Reason))
	}
	query := url.Values{}
	setIfGiven(query, "wait", string(o.Until))
	return call{
		method: http.MethodPost, path: gamePath(o.GameID, "/"+url.PathEscape(string(o.Kind))), query: query, header: header, body: body,
	}, nil
}

func (o Operation) body() ([]byte, error) {
	switch {
	case o.Kind == operation.KindPatch:
		return json.Marshal(api.PatchRequest{Image: o.Image, Force: o.Force})
	case o.Kind != operation.KindStart:
		return []byte("{}"), nil
	case o.Spec != nil:
		return json.Marshal(api.StartRequest{Spec: *o.Spec, Region: o.Region, Node: o.Node})
	}
	where := map[string]string{}
	for name, value := range map[string]string{"region": o.Region, "node": o.Node} {
		if value != "" {
			where[name] = value
		}
	}
	return json.Marshal(where)
}
