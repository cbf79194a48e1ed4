package httpserver

import (
	"context"
	"iter"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
)

// Games inspects the games of this node; services/inspect implements it and documents the errors.
// It is safe for concurrent use.
type Games interface {
	// StreamLogs yields the log of the game's container.
	StreamLogs(ctx context.Context, gameID string, options container.LogOptions) iter.Seq2[container.LogLine, error]
}

// noGames are the games of a server without an engine.
type noGames struct{}

func (noGames) StreamLogs(context.Context, string, container.LogOptions) iter.Seq2[container.LogLine, error] {
	return func(yield func(container.LogLine, error) bool) { yield(container.LogLine{}, node.ErrNoEngine) }
}
