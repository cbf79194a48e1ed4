package httpserver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type transitionInput struct {
	gameInput
	originInput
	RecordOnly  bool                           `query:"record_only" default:"false" doc:"Change the record even if a present node manages the game, and would correct it"`
	IfMatch     string                         `header:"If-Match" list:"true" hidden:"true"`
	IfNoneMatch string                         `header:"If-None-Match" list:"true" hidden:"true"`
	Body        request.Body[api.StatusChange] `body:"required"`
}

// setStatus handles POST /v1/runtimes/{game_id}/status.
func (s *Server) setStatus(w http.ResponseWriter, r *http.Request, in *transitionInput) error {
	const unsupported = "is not supported here; use expected_from and expected_container_id"
	switch {
	case in.IfMatch != "":
		return problem.BadRequest("header.If-Match", unsupported)
	case in.IfNoneMatch != "":
		return problem.BadRequest("header.If-None-Match", unsupported)
	}
	origin, err := in.origin("")
	if err != nil {
		return err
	}
	origin.Reason = in.Body.Value.Reason
	trailOf(r.Context()).event.Reason = origin.Reason
	update, err := s.updateOf(in)
	if err != nil {
		return err
	}
	input := ports.TransitionInput{UpdateStatusInput: update, Origin: origin}
	if in.RecordOnly && update.To != runtime.StatusRunning {
		input.Endpoint = new(string) // nothing runs, and no node corrects the record
	}
	after, err := s.transition(r.Context(), input, in.RecordOnly)
	s.logWrite(writeLog{verb: "transition", gameID: in.GameID, to: update.To, origin: origin, revision: after.Revision}, err)
	if err != nil {
		return err
	}
	return writeRecord(w, after)
}

// transition changes the status of the record. It fails with operation.ErrBusy while an
// operation is in progress, and with operation.ErrManaged if a present node manages the
// game, unless isRecordOnly. The record of a game that no operation manages takes one
// round trip.
func (s *Server) transition(ctx context.Context, input ports.TransitionInput, isRecordOnly bool) (runtime.VersionedRecord, error) {
	write := func(guard ports.OperationGuard) (runtime.VersionedRecord, error) {
		input.Guard = guard
		return s.store.Transition(ctx, input)
	}
	if isRecordOnly {
		return write(ports.GuardNoOperation)
	}
	return s.writeIfUnmanaged(ctx, ports.GuardNoIntent, write)
}

// writeIfUnmanaged writes under the guard. If that fails with operation.ErrManaged and the
// node is absent, no node would correct the record: then it writes under
// ports.GuardNoOperation.
func (s *Server) writeIfUnmanaged(ctx context.Context, guard ports.OperationGuard,
	write func(ports.OperationGuard) (runtime.VersionedRecord, error),
) (runtime.VersionedRecord, error) {
	after, err := write(guard)
	var managed *operation.ManagedError
	if !errors.As(err, &managed) {
		return after, err
	}
	isPresent, errPresent := s.cfg.Cluster.IsPresent(ctx, managed.Node)
	if errPresent != nil {
		return after, errPresent
	}
	if isPresent {
		return after, err
	}
	return write(ports.GuardNoOperation)
}

// updateOf returns the requested transition.
func (s *Server) updateOf(in *transitionInput) (ports.UpdateStatusInput, error) {
	change := in.Body.Value
	now := s.cfg.Clock()
	if change.Now != nil {
		var err error
		if now, err = time.Parse(time.RFC3339, *change.Now); err != nil {
			return ports.UpdateStatusInput{}, &runtime.InvalidError{Field: "now", Reason: "is not a time in the format of RFC 3339"}
		}
	}
	update := ports.UpdateStatusInput{
		GameID: in.GameID, ExpectedFrom: change.ExpectedFrom, ExpectedContainerID: change.ExpectedContainerID,
		To: change.To, Now: now.UTC(),
	}
	return update, update.Validate()
}
