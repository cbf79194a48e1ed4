package httpserver

import (
	"context"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// OriginInput is the part of a write's request that says who asks. It is
// exported for the reason that GameInput is.
type OriginInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"The operation id: a second write of the game with the same one changes nothing; at most 128 bytes"`
	Actor          string `header:"Rtmanager-Actor" doc:"Who asks, for the ledger; text beyond ASCII in the notation of RFC 8187"`
}

func (in OriginInput) origin(reason string) (ports.Origin, error) {
	var origin ports.Origin
	for _, header := range []struct {
		name, value string
		into        *string
	}{
		{api.HeaderIdempotencyKey, in.IdempotencyKey, &origin.OperationID},
		{api.HeaderActor, in.Actor, &origin.Actor},
		{api.HeaderReason, reason, &origin.Reason},
	} {
		text, ok := api.DecodeHeaderText(header.value)
		if !ok {
			return ports.Origin{}, badRequest("header."+header.name, "is not UTF-8, or its RFC 8187 notation is broken")
		}
		*header.into = text
	}
	return origin, nil
}

type statusInput struct {
	GameInput
	OriginInput
	IfMatch     string `header:"If-Match" hidden:"true"`
	IfNoneMatch string `header:"If-None-Match" hidden:"true"`
}

func (s *Server) postStatus(ctx context.Context, in *statusInput) (*recordOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	const notOffered = "is not offered here; say what you expect in expected_from and expected_container_id"
	switch {
	case in.IfMatch != "":
		return nil, badRequest("header.If-Match", notOffered)
	case in.IfNoneMatch != "":
		return nil, badRequest("header.If-None-Match", notOffered)
	}
	origin, err := in.origin("")
	if err != nil {
		return nil, err
	}
	input, reason, err := s.statusBody(bodyOf(ctx), id)
	if err != nil {
		return nil, err
	}
	origin.Reason = reason
	written, err := s.store.Transition(ctx, ports.TransitionInput{UpdateStatusInput: input, Origin: origin})
	s.audit("transition", id, origin, input.To, written, err)
	if err != nil {
		return nil, s.fail(ctx, err, inStatusBody)
	}
	return recordAnswer(written), nil
}

// statusBody returns the transition and the reason that a body asks for.
func (s *Server) statusBody(body []byte, id string) (ports.UpdateStatusInput, string, error) {
	var change api.StatusChange
	if _, err := decodeBody(s.registry, s.statusSchema, body, &change); err != nil {
		return ports.UpdateStatusInput{}, "", err
	}
	now := s.cfg.Clock()
	if change.Now != nil {
		var err error
		if now, err = time.Parse(time.RFC3339, *change.Now); err != nil {
			return ports.UpdateStatusInput{}, "", problemOf(
				&runtime.InvalidError{Field: "now", Reason: "is not an RFC 3339 instant"}, inStatusBody)
		}
	}
	input := ports.UpdateStatusInput{
		GameID: id, ExpectedFrom: runtime.Status(change.ExpectedFrom), ExpectedContainerID: change.ExpectedContainerID,
		To: runtime.Status(change.To), Now: now.UTC(),
	}
	if err := input.Validate(); err != nil {
		return ports.UpdateStatusInput{}, "", problemOf(err, inStatusBody)
	}
	return input, change.Reason, nil
}
