package apiclient

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

	"galaxy/rtmanager/internal/adapters/restapi/wire"
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
func (c *Client) Put(ctx context.Context, input ports.PutInput) (ports.VersionedRecord, error) {
	if err := errors.Join(input.Validate(), noFence(input.Fence)); err != nil {
		return ports.VersionedRecord{}, err
	}
	body, err := json.Marshal(input.Record.InUTC())
	if err != nil {
		return ports.VersionedRecord{}, fmt.Errorf("encode the record of game %q: %w", input.Record.GameID, err)
	}
	header := originHeader(input.Origin)
	if input.Origin.Reason != "" {
		header.Set(wire.HeaderReason, wire.EncodeHeaderText(input.Origin.Reason))
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
func (c *Client) Transition(ctx context.Context, input ports.TransitionInput) (ports.VersionedRecord, error) {
	if err := input.Validate(); err != nil {
		return ports.VersionedRecord{}, err
	}
	if err := noFence(input.Fence); err != nil {
		return ports.VersionedRecord{}, err
	}
	now := input.Now.UTC().Format(time.RFC3339Nano)
	body, err := json.Marshal(wire.StatusChange{
		ExpectedFrom: string(input.ExpectedFrom), ExpectedContainerID: input.ExpectedContainerID,
		To: string(input.To), Now: &now, Reason: input.Origin.Reason,
	})
	if err != nil {
		return ports.VersionedRecord{}, fmt.Errorf("encode the transition of game %q: %w", input.GameID, err)
	}
	return c.write(ctx, call{
		method: http.MethodPost, path: gamePath(input.GameID, "/status"), header: originHeader(input.Origin), body: body,
	})
}

func noFence(fence *ports.Fence) error {
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
		operation = uuid.Must(uuid.NewV7()).String()
	}
	header := http.Header{}
	header.Set(wire.HeaderIdempotencyKey, wire.EncodeHeaderText(operation))
	if origin.Actor != "" {
		header.Set(wire.HeaderActor, wire.EncodeHeaderText(origin.Actor))
	}
	return header
}

// write sends a write until its fate is known. A first try that cannot have
// arrived is runtime.ErrUnavailable at once; one that may have is repeated,
// and when ctx or Config.WriteTimeout ends first, its outcome is unknown.
func (c *Client) write(ctx context.Context, request call) (ports.VersionedRecord, error) {
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
			// The last try's error is told as text: it is no second answer.
			return ports.VersionedRecord{}, errors.Join(
				fmt.Errorf("server %s: %w: %s", c.base.Redacted(), runtime.ErrOutcomeUnknown, err.Error()), ctx.Err())
		}
	}
}

func (c *Client) tryWrite(ctx context.Context, request call) (ports.VersionedRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	var record runtime.RuntimeRecord
	header, err := c.roundTrip(ctx, request, &record)
	if err != nil {
		return ports.VersionedRecord{}, err
	}
	return versioned(record, header)
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
		return answer.status >= http.StatusInternalServerError
	}
	return errors.Is(err, runtime.ErrOutcomeUnknown)
}

// decides reports whether this answer tells what became of the write, tries
// before it included: that of a store which has looked for the operation. Want of
// an answer does not, nor does one that was not the store's.
func decides(err error) bool {
	var answer *answerError
	return !isUnavailable(err) && !isAmbiguous(err) && !errors.As(err, &answer)
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
