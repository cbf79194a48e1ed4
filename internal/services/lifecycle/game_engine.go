package lifecycle

import (
	"context"
	"fmt"
	"iter"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
)

// gameEngine is the engine for one game: to it, the containers of other games do not exist. The
// record of a game can name any container, because callers may write records. A caller with rights
// for one game only must not stop, start, remove or read the container of another.
type gameEngine struct {
	ports.Engine
	gameID string
}

// engineOf returns the engine for one game.
func (s *Service) engineOf(gameID string) gameEngine { return gameEngine{s.deps.Engine, gameID} }

// Inspect implements ports.Engine.
func (e gameEngine) Inspect(ctx context.Context, containerID string) (container.Container, error) {
	c, err := e.Engine.Inspect(ctx, containerID)
	if err == nil && c.Labels.GameID != "" && c.Labels.GameID != e.gameID {
		return container.Container{}, fmt.Errorf("container %s belongs to another game than %q: %w", containerID, e.gameID, container.ErrNoContainer)
	}
	return c, err
}

// Logs implements ports.Engine.
func (e gameEngine) Logs(ctx context.Context, containerID string, lines int) ([]string, error) {
	if _, err := e.Inspect(ctx, containerID); err != nil {
		return nil, err
	}
	return e.Engine.Logs(ctx, containerID, lines)
}

// StreamLogs implements ports.Engine.
func (e gameEngine) StreamLogs(ctx context.Context, containerID string, options container.LogOptions) iter.Seq2[container.LogLine, error] {
	return func(yield func(container.LogLine, error) bool) {
		if _, err := e.Inspect(ctx, containerID); err != nil {
			yield(container.LogLine{}, err)
			return
		}
		e.Engine.StreamLogs(ctx, containerID, options)(yield)
	}
}
