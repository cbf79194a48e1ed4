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
	"github.com/google/uuid"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Upsert implements ports.RuntimeRecordStore. Unlike a store of this process,
// the API refuses a record that its Validate refuses.
func (c *Client) Upsert(ctx context.Context, record runtime.RuntimeRecord) error {
	_, err := c.Put(ctx, ports.PutInput{Record: record})
	return err
}

// UpdateStatus implements ports.RuntimeRecordStore.
func (c *Client) UpdateStatus(ctx context.Context, input ports.UpdateStatusInput) error {
	_, err := c.Transition(ctx, ports.TransitionInput{UpdateStatusInput: input})
	return err
}

// Put implements ports.RuntimeWriter. A fence is refused with
// runtime.ErrInvalid: it is not offered over HTTP.
func (c *Client) Put(ctx context.Context, input ports.PutInput) (runtime.VersionedRecord, error) {
	if err := errors.Join(input.Validate(), noFence(input.Fence)); err != nil {
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
	return c.write(ctx, call{method: http.MethodPut, path: gamePath(input.Record.GameID, ""), header: header, body: body})
}

// Transition implements ports.RuntimeWriter. A fence is refused with
// runtime.ErrInvalid: it is not offered over HTTP.
func (c *Client) Transition(ctx context.Context, input ports.TransitionInput) (runtime.VersionedRecord, error) {
	if err := input.Validate(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	if err := noFence(input.Fence); err != nil {
		return runtime.VersionedRecord{}, err
	}
	now := input.Now.UTC().Format(time.RFC3339Nano)
	body, err := json.Marshal(api.StatusChange{
		ExpectedFrom: string(input.ExpectedFrom), ExpectedContainerID: input.ExpectedContainerID,
		To: string(input.To), Now: &now, Reason: input.Origin.Reason,
	})
	if err != nil {
		return runtime.VersionedRecord{}, fmt.Errorf("encode the transition of game %q: %w", input.GameID, err)
	}
	return c.write(ctx, call{
		method: http.MethodPost, path: gamePath(input.GameID, "/status"), header: originHeader(input.Origin), body: body,
	})
}

func noFence(fence *node.Fence) error {
	if fence == nil {
		return nil
	}
	return &runtime.InvalidError{Field: "fence", Reason: "is not offered over HTTP"}
}

// originHeader names the operation, afresh where the caller did not: every try
// of one write carries the same id, so the server applies it once.
func originHeader(origin ports.Origin) http.Header {
	operation := origin.OperationID
	if operation == "" {
		operation = newOperationID()
	}
	header := http.Header{}
	header.Set(api.HeaderIdempotencyKey, api.EncodeHeaderText(operation))
	if origin.Actor != "" {
		header.Set(api.HeaderActor, api.EncodeHeaderText(origin.Actor))
	}
	return header
}

// write sends a write until its fate is known. A first try that cannot have
// arrived is runtime.ErrUnavailable at once; one that may have is repeated,
// and when ctx or Config.WriteTimeout ends first, its outcome is unknown.
func (c *Client) write(ctx context.Context, request call) (runtime.VersionedRecord, error) {
	bounded, cancel := context.WithTimeout(ctx, c.cfg.WriteTimeout)
	defer cancel()
	pause := c.backoff()
	mayBeApplied := false
	for {
		written, err := c.tryWrite(bounded, request)
		mayBeApplied = mayBeApplied || isAmbiguous(err)
		switch {
		case !mayBeApplied:
			return written, c.settleRead(ctx, err)
		case decides(err):
			return written, err
		}
		if !wait(bounded, pause.NextBackOff()) {
			return runtime.VersionedRecord{}, c.unknownOutcome(ctx, err)
		}
	}
}

// unknownOutcome gives up on a write. What the last try met is told in words
// only: that it cannot have been applied, or that its time was over, holds of
// that try alone.
func (c *Client) unknownOutcome(ctx context.Context, last error) error {
	return errors.Join(fmt.Errorf("server %s: %w: %s", c.base.Redacted(), runtime.ErrOutcomeUnknown, last.Error()), ctx.Err())
}

func newOperationID() string { return uuid.Must(uuid.NewV7()).String() }

func (c *Client) tryWrite(ctx context.Context, request call) (runtime.VersionedRecord, error) {
	var record runtime.RuntimeRecord
	header, err := c.try(ctx, request, &record)
	if err != nil {
		return runtime.VersionedRecord{}, err
	}
	written, err := versioned(record, header)
	if err != nil {
		return runtime.VersionedRecord{}, &sendError{err: err, mayHaveArrived: true}
	}
	return written, nil
}

// decides reports whether this answer tells what became of the write, tries
// before it included. A store looks for the operation before all else, so what
// it then finds wrong is wrong because none of them was applied. Want of an
// answer does not decide, nor does one that was not the store's, nor that the
// store could not look.
func decides(err error) bool {
	for _, verdict := range []error{
		runtime.ErrNotFound, runtime.ErrConflict, runtime.ErrInvalidTransition, runtime.ErrInvalid, runtime.ErrFenced, runtime.ErrReadOnly,
	} {
		if errors.Is(err, verdict) {
			return true
		}
	}
	return err == nil
}

// isAmbiguous reports that after this answer, or for want of one, the write
// may have been applied or not.
func isAmbiguous(err error) bool {
	var unsent *sendError
	var answer *answerError
	switch {
	case errors.As(err, &unsent):
		return unsent.mayHaveArrived
	case errors.As(err, &answer):
		// A success that is not the API's has come instead of the API's answer. What
		// is not offered was not done.
		return answer.status >= http.StatusInternalServerError && answer.status != http.StatusNotImplemented || answer.status < http.StatusMultipleChoices
	}
	return errors.Is(err, runtime.ErrOutcomeUnknown)
}

// isUnavailable reports that this try changed nothing for want of a server or
// a store behind it, which says nothing of the tries before.
func isUnavailable(err error) bool {
	var unsent *sendError
	return errors.As(err, &unsent) || errors.Is(err, runtime.ErrUnavailable)
}

func (c *Client) backoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = c.cfg.MinBackoff, c.cfg.MaxBackoff
	return b
}

// wait returns false when ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
