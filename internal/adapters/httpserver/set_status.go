package httpserver

import (
	"net/http"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type transitionInput struct {
	gameInput
	originInput
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
	update, err := s.updateOf(in)
	if err != nil {
		return err
	}
	after, err := s.store.Transition(r.Context(), ports.TransitionInput{UpdateStatusInput: update, Origin: origin})
	s.logWrite(writeLog{verb: "transition", gameID: in.GameID, to: update.To, origin: origin, revision: after.Revision}, err)
	if err != nil {
		return err
	}
	return writeRecord(w, after)
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
