package httpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

// Put implements ports.RuntimeWriter. Unlike a store of this process, the API rejects a
// record that fails its own Validate. The API has a guard in any case: ports.GuardNoOperation
// if the input has that, and ports.GuardManagedRecord otherwise, which it ignores for a game
// whose node is absent. Put rejects a fence with runtime.ErrInvalid, because
// the API does not offer fences, nor At. It ignores IgnoreContents.
func (c *Client) Put(ctx context.Context, input ports.PutInput) (runtime.VersionedRecord, error) {
	if err := errors.Join(input.Validate(), rejectFence(input.Fence)); err != nil {
		return runtime.VersionedRecord{}, err
	}
	if !input.At.IsZero() {
		return runtime.VersionedRecord{}, &runtime.InvalidError{Field: "at", Reason: "is not offered over HTTP"}
	}
	body, err := json.Marshal(input.Record.InUTC())
	if err != nil {
		return runtime.VersionedRecord{}, fmt.Errorf("encode the record of game %q: %w", input.Record.GameID, err)
	}
	header := originHeader(input.Origin)
	if input.Origin.Reason != "" {
		header.Set(api.HeaderReason, api.EncodeHeaderText(input.Origin.Reason))
	}
	query := url.Values{}
	if input.Guard == ports.GuardNoOperation {
		query.Set("record_only", "true")
	}
	switch {
	case input.IfRevision == nil:
	case *input.IfRevision == 0:
		header.Set("If-None-Match", "*")
	default:
		header.Set("If-Match", strconv.Quote(strconv.FormatInt(*input.IfRevision, 10)))
	}
	return c.write(ctx, apiRequest{method: http.MethodPut, path: gamePath(input.Record.GameID, ""), query: query, header: header, body: body})
}

// Transition implements ports.RuntimeWriter. The API has a guard in any case:
// ports.GuardNoOperation if the input has that, and ports.GuardNoIntent otherwise, which
// it ignores for a game whose node is absent. Transition rejects a fence and an endpoint with
// runtime.ErrInvalid, because the API does not offer them. It ignores IgnoreContents.
func (c *Client) Transition(ctx context.Context, input ports.TransitionInput) (runtime.VersionedRecord, error) {
	if err := input.Validate(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	if err := rejectFence(input.Fence); err != nil {
		return runtime.VersionedRecord{}, err
	}
	if input.Endpoint != nil {
		return runtime.VersionedRecord{}, &runtime.InvalidError{Field: "engine_endpoint", Reason: "cannot be changed by a transition over HTTP"}
	}
	now := input.Now.UTC().Format(time.RFC3339Nano)
	body, err := json.Marshal(api.StatusChange{
		ExpectedFrom: input.ExpectedFrom, ExpectedContainerID: input.ExpectedContainerID,
		To: input.To, Now: &now, Reason: input.Origin.Reason,
	})
	if err != nil {
		return runtime.VersionedRecord{}, fmt.Errorf("encode the transition of game %q: %w", input.GameID, err)
	}
	query := url.Values{}
	if input.Guard == ports.GuardNoOperation {
		query.Set("record_only", "true")
	}
	return c.write(ctx, apiRequest{
		method: http.MethodPost, path: gamePath(input.GameID, "/status"), query: query, header: originHeader(input.Origin), body: body,
	})
}

// ChangeLabels changes labels of a game: set replaces or adds labels, and remove removes them. It
// fails with runtime.ErrInvalid, runtime.ErrNotFound or operation.ErrBusy, or as Put does.
func (c *Client) ChangeLabels(ctx context.Context, gameID string, change api.LabelChange, origin ports.Origin) (runtime.VersionedRecord, error) {
	return c.changeRecord(ctx, gameID, "/labels", change, origin)
}

// ChangeMetadata changes the metadata of a game. Its errors are those of ChangeLabels.
func (c *Client) ChangeMetadata(ctx context.Context, gameID string, change api.MetadataChange, origin ports.Origin) (runtime.VersionedRecord, error) {
	return c.changeRecord(ctx, gameID, "/metadata", change, origin)
}

// changeRecord sends the change of a part of the record.
func (c *Client) changeRecord(ctx context.Context, gameID, part string, change any, origin ports.Origin) (runtime.VersionedRecord, error) {
	if err := errors.Join(runtime.ValidateGameID(gameID), origin.Validate()); err != nil {
		return runtime.VersionedRecord{}, err
	}
	body, err := json.Marshal(change)
	if err != nil {
		return runtime.VersionedRecord{}, fmt.Errorf("encode the change of game %q: %w", gameID, err)
	}
	header := originHeader(origin)
	if origin.Reason != "" {
		header.Set(api.HeaderReason, api.EncodeHeaderText(origin.Reason))
	}
	return c.write(ctx, apiRequest{method: http.MethodPost, path: gamePath(gameID, part), header: header, body: body})
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

// Delete implements ports.RuntimeDeleter. It rejects a fence with runtime.ErrInvalid, because
// the API does not offer fences. If an earlier attempt may have arrived, a game that does not
// exist is deleted.
func (c *Client) Delete(ctx context.Context, input ports.DeleteInput) error {
	if err := errors.Join(input.Validate(), rejectFence(input.Fence)); err != nil {
		return err
	}
	header := originHeader(input.Origin)
	if input.Origin.Reason != "" {
		header.Set(api.HeaderReason, api.EncodeHeaderText(input.Origin.Reason))
	}
	if input.IfRevision != nil {
		header.Set("If-Match", strconv.Quote(strconv.FormatInt(*input.IfRevision, 10)))
	}
	return c.retryDelete(ctx, apiRequest{path: gamePath(input.GameID, ""), header: header}, runtime.ErrNotFound)
}

// ForceDelete deletes a game in any status: the daemon stops and cleans it up first. Its errors are
// those of Delete, and those of the two operations. IfRevision must be nil, because the operations
// change the record.
func (c *Client) ForceDelete(ctx context.Context, input ports.DeleteInput) error {
	if input.IfRevision != nil {
		return &runtime.InvalidError{Field: "if_revision", Reason: "is not supported by a forced deletion"}
	}
	if err := errors.Join(input.Validate(), rejectFence(input.Fence)); err != nil {
		return err
	}
	header := originHeader(input.Origin)
	if input.Origin.Reason != "" {
		header.Set(api.HeaderReason, api.EncodeHeaderText(input.Origin.Reason))
	}
	return c.retryDelete(ctx, apiRequest{path: gamePath(input.GameID, ""), query: url.Values{"force": {"true"}}, header: header}, runtime.ErrNotFound)
}

// retryDelete sends a deletion, as retryWrite does. If an earlier attempt may have arrived,
// the error absent means that it has deleted the resource, which is success.
func (c *Client) retryDelete(ctx context.Context, request apiRequest, absent error) error {
	request.method = http.MethodDelete
	isRepeated, err := c.retryWrite(ctx, func(ctx context.Context) error {
		_, err := c.attempt(ctx, request, nil)
		return err
	})
	if isRepeated && errors.Is(err, absent) {
		return nil
	}
	return err
}

// write sends a write whose response is the written record.
func (c *Client) write(ctx context.Context, request apiRequest) (record runtime.VersionedRecord, err error) {
	_, err = c.retryWrite(ctx, func(ctx context.Context) (err error) {
		record, err = c.attemptWrite(ctx, request)
		return err
	})
	return record, err
}

// retryValidWrite sends a write, as retryWrite does, until isValid accepts the response in target. expected names
// the response in the error of another one.
func (c *Client) retryValidWrite(ctx context.Context, request apiRequest, target any, isValid func() bool, expected string) (isRepeated bool, err error) {
	return c.retryWrite(ctx, func(ctx context.Context) error {
		_, err := c.attempt(ctx, request, target)
		if err == nil && !isValid() {
			err = &sendError{err: c.unexpectedResponseError(expected), mayHaveArrived: true}
		}
		return err
	})
}

// retryWrite retries a write until a response shows its outcome. If the first attempt cannot
// have arrived, it fails with runtime.ErrUnavailable at once. An attempt that may have
// arrived is retried; if ctx or Config.WriteTimeout ends first, the error is
// runtime.ErrOutcomeUnknown. isRepeated reports whether an attempt before the last may have
// been applied.
func (c *Client) retryWrite(ctx context.Context, attempt func(context.Context) error) (isRepeated bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, c.cfg.WriteTimeout)
	defer cancel()
	backoff := c.newBackoff()
	for {
		err := attempt(bounded)
		mayBeApplied := isRepeated || isAmbiguous(err)
		switch {
		case !mayBeApplied:
			return false, c.unavailableError(ctx, err)
		case isConclusive(err):
			return isRepeated, err
		case isRejectedCaller(err): // a retry needs other credentials
			return isRepeated, c.outcomeUnknownError(ctx, err)
		}
		isRepeated = true
		if wait.For(bounded, backoff.NextBackOff()) != nil {
			return true, c.outcomeUnknownError(ctx, err)
		}
	}
}

// outcomeUnknownError returns the error of a write that is no longer retried. It contains
// the last attempt's error as text only, because that error does not apply to the write.
func (c *Client) outcomeUnknownError(ctx context.Context, last error) error {
	return errors.Join(fmt.Errorf("server %s: %w: %s", c.server(), runtime.ErrOutcomeUnknown, last.Error()), ctx.Err())
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
		operation.ErrBusy, operation.ErrManaged, operation.ErrRejected, operation.ErrIDReused, access.ErrUnknownSubject,
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
