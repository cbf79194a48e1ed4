package httpserver

import (
	"context"
	"iter"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/ports"
)

// Games are the games of this node; services/inspect and services/lifecycle implement it and document the errors.
// It is safe for concurrent use.
type Games interface {
	// Cancel ends the operation in progress on the game.
	Cancel(ctx context.Context, gameID, operationID string, origin ports.Origin) error
	// Usage returns what the game uses at present.
	Usage(ctx context.Context, gameID string) (container.Usage, error)
	// Exec runs a command in the game's container.
	Exec(ctx context.Context, gameID string, command container.Command) (exitCode int, err error)
	// StreamLogs yields the log of the game's container.
	StreamLogs(ctx context.Context, gameID string, options container.LogOptions) iter.Seq2[container.LogLine, error]
}

// noGames are the games of a server without an engine.
type noGames struct{}

func (noGames) Cancel(context.Context, string, string, ports.Origin) error { return node.ErrNoEngine }

func (noGames) Exec(context.Context, string, container.Command) (int, error) {
	return 0, node.ErrNoEngine
}

func (noGames) Usage(context.Context, string) (container.Usage, error) {
	return container.Usage{}, node.ErrNoEngine
}

func (noGames) StreamLogs(context.Context, string, container.LogOptions) iter.Seq2[container.LogLine, error] {
	return func(yield func(container.LogLine, error) bool) { yield(container.LogLine{}, node.ErrNoEngine) }
}
