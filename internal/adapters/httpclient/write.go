package httpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

// Put implements ports.RuntimeWriter. Unlike a store of this process, the API rejects a
// record that fails its own Validate. It rejects a fence with runtime.ErrInvalid, because
// the API does not offer fences.
func (c *Client) Put(ctx context.Context, input ports.PutInput) (runtime.VersionedRecord, error) {
	if err := errors.Join(input.Validate(), rejectFence(input.Fence)); err != nil {
		return runtime.VersionedRecord{}, err
	}
	body, err := json.Marshal(input.Record.InUTC())
	if err != nil {
		return runtime.VersionedRecord{}, fmt.Errorf("encode the record of game %q: %w", input.Record.GameID, err)
	}
	header := originHeader(input.Origin)
	if input.Origin.Reason != "" {
		header.Set(api.HeaderReason, api.EncodeHeaderText(input.Origin.Reason))
	}
	switch {
	case input.IfRevision == nil:
	case *input.IfRevision == 0:
		header.Set("If-None-Match", "*")
	default:
		header.Set("If-Match", strconv.Quote(strconv.FormatInt(*input.IfRevision, 10)))
	}
	return c.write(ctx, apiRequest{method: http.MethodPut, path: gamePath(input.Record.GameID, ""), header: header, body: body})
}

// Transition implements ports.RuntimeWriter. It rejects a fence with
// runtime.ErrInvalid, because the API does not offer fences.
func (c *Client) Transition(ctx context.Context, input ports.TransitionInput) (runtime.VersionedRecord, error) {
	if err := input.Validate(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	if err := rejectFence(input.Fence); err != nil {
		return runtime.VersionedRecord{}, err
	}
	now := input.Now.UTC().Format(time.RFC3339Nano)
	body, err := json.Marshal(api.StatusChange{
		ExpectedFrom: input.ExpectedFrom, ExpectedContainerID: input.ExpectedContainerID,
		To: input.To, Now: &now, Reason: input.Origin.Reason,
	})
	if err != nil {
		return runtime.VersionedRecord{}, fmt.Errorf("encode the transition of game %q: %w", input.GameID, err)
	}
	return c.write(ctx, apiRequest{
		method: http.MethodPost, path: gamePath(input.GameID, "/status"), header: originHeader(input.Origin), body: body,
	})
}

func rejectFence(fence *node.Fence) error {
	if fence == nil {
		return nil
	}
	return &runtime.InvalidError{Field: "fence", Reason: "is not offered over HTTP"}
}

// originHeader returns the headers of an origin. It generates an operation id if there
// is none: all attempts of one write have the same id, so the server applies it once.
func originHeader(origin ports.Origin) http.Header {
	operationID := origin.OperationID
	if operationID == "" {
		operationID = operation.NewID()
	}
	header := http.Header{}
	header.Set(api.HeaderIdempotencyKey, api.EncodeHeaderText(operationID))
	if origin.Actor != "" {
		header.Set(api.HeaderActor, api.EncodeHeaderText(origin.Actor))
	}
	return header
}

// write retries a write until a response shows its outcome. If the first attempt cannot
// have arrived, write fails with runtime.ErrUnavailable at once. An attempt that may have
// arrived is retried; if ctx or Config.WriteTimeout ends first, the error is
// runtime.ErrOutcomeUnknown.
func (c *Client) write(ctx context.Context, request apiRequest) (runtime.VersionedRecord, error) {
	bounded, cancel := context.WithTimeout(ctx, c.cfg.WriteTimeout)
	defer cancel()
	backoff := c.newBackoff()
	mayBeApplied := false
	for {
		record, err := c.attemptWrite(bounded, request)
		mayBeApplied = mayBeApplied || isAmbiguous(err)
		switch {
		case !mayBeApplied:
			return record, c.unavailableError(ctx, err)
		case isConclusive(err):
			return record, err
		}
		if wait.For(bounded, backoff.NextBackOff()) != nil {
			return runtime.VersionedRecord{}, c.outcomeUnknownError(ctx, err)
		}
	}
}

// outcomeUnknownError returns the error of a write that is no longer retried. It contains
// the last attempt's error as text only, because that error does not apply to the write.
func (c *Client) outcomeUnknownError(ctx context.Context, last error) error {
	return errors.Join(fmt.Errorf("server %s: %w: %s", c.base.Redacted(), runtime.ErrOutcomeUnknown, last.Error()), ctx.Err())
}

func (c *Client) attemptWrite(ctx context.Context, request apiRequest) (runtime.VersionedRecord, error) {
	var record runtime.RuntimeRecord
	header, err := c.attempt(ctx, request, &record)
	if err != nil {
		return runtime.VersionedRecord{}, err
	}
	versioned, err := withRevision(record, header)
	if err != nil {
		return runtime.VersionedRecord{}, &sendError{err: err, mayHaveArrived: true}
	}
	return versioned, nil
}

// isConclusive reports whether the result of this attempt shows the outcome of the write,
// including earlier attempts. A store first searches for the operation id, so any error
// that it then finds means that no attempt was applied. A missing response is not
// conclusive, and neither is a response from another server or from a store that could
// not search.
func isConclusive(err error) bool {
	for _, conclusive := range []error{
		runtime.ErrNotFound, runtime.ErrConflict, runtime.ErrInvalidTransition, runtime.ErrInvalid, runtime.ErrFenced, runtime.ErrReadOnly,
	} {
		if errors.Is(err, conclusive) {
			return true
		}
	}
	return err == nil
}

// isAmbiguous reports whether the write may or may not have been applied, by the
// result of this attempt alone.
func isAmbiguous(err error) bool {
	var sendErr *sendError
	var statusErr *statusError
	switch {
	case errors.As(err, &sendErr):
		return sendErr.mayHaveArrived
	case errors.As(err, &statusErr):
		// A success that does not come from the API has replaced the API's response. A
		// request that the server does not implement was not applied.
		return statusErr.status >= http.StatusInternalServerError && statusErr.status != http.StatusNotImplemented || statusErr.status < http.StatusMultipleChoices
	}
	return errors.Is(err, runtime.ErrOutcomeUnknown)
}

// isUnavailable reports whether this attempt changed nothing because the server or its
// store was unavailable. It does not apply to earlier attempts.
func isUnavailable(err error) bool {
	var sendErr *sendError
	return errors.As(err, &sendErr) || errors.Is(err, runtime.ErrUnavailable)
}

func (c *Client) newBackoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = c.cfg.MinBackoff, c.cfg.MaxBackoff
	return b
}
