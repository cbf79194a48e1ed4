package httpserver

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/etag"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type putInput struct {
	gameInput
	originInput
	reasonInput
	RecordOnly  bool                                `query:"record_only" default:"false" doc:"Write the record even if a present node manages the game, and would correct it"`
	IfMatch     string                              `header:"If-Match" list:"true" doc:"Writes only if the record has one of these ETags; * requires that there is a record"`
	IfNoneMatch string                              `header:"If-None-Match" list:"true" doc:"Only *: writes only if there is no record"`
	Body        request.Body[runtime.RuntimeRecord] `body:"required"`
}

// putRuntime handles PUT /v1/runtimes/{game_id}. It fails with operation.ErrBusy while an
// operation is in progress, and with operation.ErrManaged if a present node manages the game
// of the record, unless the request is for the record only.
func (s *Server) putRuntime(w http.ResponseWriter, r *http.Request, in *putInput) error {
	origin, err := in.origin(in.Reason)
	if err != nil {
		return err
	}
	condition, err := etag.Parse(in.IfMatch, in.IfNoneMatch)
	var invalid *etag.ParseError
	if errors.As(err, &invalid) {
		return problem.BadRequest("header."+invalid.Header, "%s", invalid.Reason)
	}
	record, err := in.record()
	if err != nil {
		return err
	}
	if err := callers.Of(r.Context()).ForLabels(record.Labels).CheckPlacement(access.PermissionOperate, record.Region, in.GameID); err != nil {
		return err
	}
	guard := ports.GuardManagedRecord
	if in.RecordOnly {
		guard = ports.GuardNoOperation
	}
	after, err := s.writeIfUnmanaged(r.Context(), guard, func(guard ports.OperationGuard) (runtime.VersionedRecord, error) {
		return s.put(r.Context(), ports.PutInput{Record: record, Origin: origin, Guard: guard}, condition)
	})
	s.logWrite(writeLog{verb: "put", gameID: in.GameID, to: record.Status, origin: origin, revision: after.Revision}, err)
	if err != nil {
		return err
	}
	return writeRecord(w, after)
}

// record returns the record of the body, which may omit the game id.
func (in *putInput) record() (runtime.RuntimeRecord, error) {
	record := in.Body.Value
	if in.Body.Members["game_id"] && record.GameID != in.GameID {
		return record, problem.Invalid(api.Fault{Location: "body.game_id", Message: "differs from the game id of the path; omit it, or send the same id"})
	}
	record.GameID = in.GameID
	return record.InUTC(), record.Validate()
}

// put writes under a condition. The store compares one revision only. For any other
// condition, put reads the record, evaluates the condition, and makes the store compare the
// revision that it has read. It retries if another writer was faster.
func (s *Server) put(ctx context.Context, input ports.PutInput, condition etag.Condition) (runtime.VersionedRecord, error) {
	if condition.IsEmpty() {
		return s.store.Put(ctx, input)
	}
	if revision, isExact := condition.Exact(); isExact {
		input.IfRevision = &revision
		return s.store.Put(ctx, input)
	}
	for {
		found, err := s.store.GetVersioned(ctx, input.Record.GameID)
		if err != nil && !errors.Is(err, runtime.ErrNotFound) {
			return runtime.VersionedRecord{}, err
		}
		holds := err == nil && condition.Holds(found.Revision)
		switch {
		case holds:
			input.IfRevision = &found.Revision
		case condition.Exists:
			return runtime.VersionedRecord{}, failedConditionError(input.Record.GameID, condition, found)
		default:
			// The store rejects this write, unless it has applied the operation id before.
			input.IfRevision = &condition.Revisions[0]
		}
		after, err := s.store.Put(ctx, input)
		switch {
		case !errors.Is(err, runtime.ErrConflict):
			return after, err
		case !holds:
			return runtime.VersionedRecord{}, failedConditionError(input.Record.GameID, condition, found)
		}
	}
}

// failedConditionError returns the conflict of a condition with the record that was found.
func failedConditionError(gameID string, condition etag.Condition, found runtime.VersionedRecord) error {
	conflict := &runtime.ConflictError{
		GameID: gameID, Precondition: runtime.PreconditionRevision, Expected: "any",
		Actual: "none", Current: found.Record, Revision: found.Revision,
	}
	if found.Revision != 0 {
		conflict.Actual = strconv.FormatInt(found.Revision, 10)
	}
	if !condition.Exists {
		conflict.Expected = "one of the listed"
	}
	return conflict
}

// writeLog is a write to be logged.
type writeLog struct {
	verb, gameID string
	to           runtime.Status
	origin       ports.Origin
	revision     int64 // of the written record
}

// logWrite logs one line for each write, including failed ones.
func (s *Server) logWrite(w writeLog, err error) {
	log := s.cfg.Logger.With("verb", w.verb, "game_id", w.gameID, "to", w.to, "actor", w.origin.Actor, "operation_id", w.origin.OperationID)
	if err != nil {
		log.Info("write failed, or its outcome is unknown", "error", err)
		return
	}
	log.Info("write applied", "revision", w.revision)
}
