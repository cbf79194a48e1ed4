package httpserver

import (
	"context"
	"errors"
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/etag"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type deleteInput struct {
	gameInput
	originInput
	reasonInput
	Force       bool   `query:"force" default:"false" doc:"Stop and clean up a game that is not removed before it is deleted. Not together with If-Match, since these operations change the record"`
	IfMatch     string `header:"If-Match" list:"true" doc:"Deletes only if the record has one of these ETags"`
	IfNoneMatch string `header:"If-None-Match" list:"true" hidden:"true"`
}

// deleteRuntime handles DELETE /v1/runtimes/{game_id}.
func (s *Server) deleteRuntime(w http.ResponseWriter, r *http.Request, in *deleteInput) error {
	if in.IfNoneMatch != "" {
		return problem.BadRequest("header.If-None-Match", "is not supported here; use If-Match")
	}
	origin, err := in.origin(in.Reason)
	if err != nil {
		return err
	}
	condition, err := etag.Parse(in.IfMatch, "")
	var invalid *etag.ParseError
	if errors.As(err, &invalid) {
		return problem.BadRequest("header."+invalid.Header, "%s", invalid.Reason)
	}
	if in.Force {
		if in.IfMatch != "" {
			return problem.BadRequest("header.If-Match", "is not supported together with force=true")
		}
		if _, isRepeated := s.forced.Get(forcedDeletion{in.GameID, origin.OperationID}); isRepeated {
			w.WriteHeader(http.StatusNoContent)
			return nil // the game of this id, if there is one, is another one
		}
		if err := s.removeForDeletion(r.Context(), in.GameID, &origin); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.requestTimeout())
	defer cancel()
	if err := s.cfg.Cluster.CheckNoContainers(ctx, in.GameID); err != nil {
		return err
	}
	err = s.deleteUnder(ctx, ports.DeleteInput{GameID: in.GameID, Origin: origin}, condition)
	s.logDeletion(in.GameID, origin, err)
	if err != nil {
		return err
	}
	if in.Force {
		s.forced.Add(forcedDeletion{in.GameID, origin.OperationID}, nil)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// forcedDeletion identifies a forced deletion and its repetitions, which must not stop a game that has got the
// id since.
type forcedDeletion struct{ gameID, operationID string }

// maxForcedDeletions is the number of successful forced deletions that a server keeps in memory.
const maxForcedDeletions = 4096

// removeForDeletion stops and cleans up the game. It adds an operation id to an origin without one.
func (s *Server) removeForDeletion(ctx context.Context, gameID string, origin *ports.Origin) error {
	if origin.OperationID == "" {
		origin.OperationID = operation.NewID()
	}
	if err := origin.Validate(); err != nil {
		return err
	}
	trailOf(ctx).event.OperationID = origin.OperationID
	if s.isShuttingDown() {
		return problem.ErrShuttingDown
	}
	leave, isAcquired := s.operations.acquire(callers.Of(ctx).Identity)
	if !isAcquired {
		return problem.New(api.CodeTooManyOperations, tooManyOperations)
	}
	defer leave()
	err := s.cfg.Cluster.RemoveGame(ctx, gameID, *origin)
	if err != nil {
		s.logDeletion(gameID, *origin, err)
	}
	return err
}

// deleteUnder deletes under a condition. The store compares one revision only. For several
// revisions, deleteUnder reads the record and makes the store compare the revision that it
// has read. It retries if another writer was faster.
func (s *Server) deleteUnder(ctx context.Context, input ports.DeleteInput, condition etag.Condition) error {
	if revision, isExact := condition.Exact(); isExact {
		input.IfRevision = &revision
	}
	if len(condition.Revisions) < 2 {
		return s.store.Delete(ctx, input)
	}
	for {
		found, err := s.store.GetVersioned(ctx, input.GameID)
		if err != nil && !errors.Is(err, runtime.ErrNotFound) {
			return err
		}
		holds := err == nil && condition.Holds(found.Revision)
		input.IfRevision = &condition.Revisions[0] // the store rejects it, unless the request is a repeated one
		if holds {
			input.IfRevision = &found.Revision
		}
		err = s.store.Delete(ctx, input)
		switch {
		case !errors.Is(err, runtime.ErrConflict):
			return err
		case !holds:
			return failedConditionError(input.GameID, condition, found)
		}
	}
}

// logDeletion logs one line for each deletion, including failed ones.
func (s *Server) logDeletion(gameID string, origin ports.Origin, err error) {
	log := s.cfg.Logger.With("game_id", gameID, "actor", origin.Actor, "reason", origin.Reason, "operation_id", origin.OperationID)
	if err != nil {
		log.Info("deletion failed, or its outcome is unknown", "error", err)
		return
	}
	log.Info("game deleted")
}
