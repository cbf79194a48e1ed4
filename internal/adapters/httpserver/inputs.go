package httpserver

import (
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

// noInput is the request of a route without parameters.
type noInput struct{}

// gameInput is the part of a request that names the game.
type gameInput struct {
	GameID string `path:"game_id" doc:"The game's id as one percent-encoded segment: 1 to 256 bytes of UTF-8 without control characters, not blank, neither . nor .."`
}

// originInput is the part of a write's request that is stored in the ledger.
type originInput struct {
	IdempotencyKey string `header:"Idempotency-Key" field:"operation_id" doc:"The operation id: a second write of the game with the same id changes nothing, and is rejected if it requests something else; at most 128 bytes"`
	Actor          string `header:"Rtmanager-Actor" field:"actor" doc:"The actor, for the ledger; text beyond ASCII in the notation of RFC 8187"`
}

// reasonInput is the reason of a request whose body has no member for it.
type reasonInput struct {
	Reason string `header:"Rtmanager-Reason" field:"reason" doc:"The reason, for the ledger; text beyond ASCII in the notation of RFC 8187"`
}

// origin decodes the headers of the input, and the reason header, which may be empty.
func (in originInput) origin(reason string) (ports.Origin, error) {
	var origin ports.Origin
	for _, header := range []struct {
		name, value string
		field       *string
	}{
		{api.HeaderIdempotencyKey, in.IdempotencyKey, &origin.OperationID},
		{api.HeaderActor, in.Actor, &origin.Actor},
		{api.HeaderReason, reason, &origin.Reason},
	} {
		text, ok := api.DecodeHeaderText(header.value)
		if !ok {
			return ports.Origin{}, problem.BadRequest("header."+header.name, "is not UTF-8, or not valid in the notation of RFC 8187")
		}
		*header.field = text
	}
	return origin, nil
}
