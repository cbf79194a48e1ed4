// Package inspect reads what the games of this node do: their logs, and what they use. It runs commands in them.
package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Dependencies are the parts that a Service uses. Records and Engine are required.
type Dependencies struct {
	Records ports.RuntimeReader
	Engine  ports.ContainerReader
	// Commands runs commands; nil if the engine cannot.
	Commands ports.CommandRunner
}

// Service inspects the games of one node. It is safe for concurrent use.
type Service struct{ deps Dependencies }

// New returns a service.
func New(deps Dependencies) *Service { return &Service{deps} }

// StreamLogs yields the log of the game's container, as ports.ContainerReader.StreamLogs does. It
// yields *operation.RejectedError for a game without a container on this node, and the errors of
// the store.
func (s *Service) StreamLogs(ctx context.Context, gameID string, options container.LogOptions) iter.Seq2[container.LogLine, error] {
	return func(yield func(container.LogLine, error) bool) {
		found, err := s.findContainer(ctx, "logs", gameID)
		if err != nil {
			yield(container.LogLine{}, err)
			return
		}
		s.deps.Engine.StreamLogs(ctx, found.ID, options)(yield)
	}
}

// findContainer returns the container that the game's record names. Without such a container it
// returns the newest one, which an operation in progress or a failed start has created.
func (s *Service) findContainer(ctx context.Context, verb, gameID string) (container.Container, error) {
	stored, err := s.deps.Records.GetVersioned(ctx, gameID)
	if err != nil && !errors.Is(err, runtime.ErrNotFound) {
		return container.Container{}, err
	}
	record := stored.Record
	containers, err := s.deps.Engine.List(ctx, gameID)
	if err != nil {
		return container.Container{}, fmt.Errorf("find the container of game %q: %w", gameID, err)
	}
	if len(containers) == 0 {
		return container.Container{}, &operation.RejectedError{
			GameID: gameID, Operation: verb, Status: record.Status,
			Reason: "it has no container: it was never started here, or its container was removed with its log",
		}
	}
	for _, c := range containers {
		if c.ID == record.CurrentContainerID {
			return c, nil
		}
	}
	return slices.MaxFunc(containers, func(a, b container.Container) int { return cmp.Compare(a.Labels.Generation, b.Labels.Generation) }), nil
}

// Usage returns what the game's container uses at present. It returns *operation.RejectedError for a game that
// does not run on this node, the errors of ports.ContainerReader.Usage, and those of the store.
func (s *Service) Usage(ctx context.Context, gameID string) (container.Usage, error) {
	found, err := s.findContainer(ctx, "stats", gameID)
	if err != nil {
		return container.Usage{}, err
	}
	usage, err := s.deps.Engine.Usage(ctx, found.ID)
	if err != nil {
		return container.Usage{}, fmt.Errorf("measure game %q: %w", gameID, err)
	}
	if usage.At.IsZero() {
		return container.Usage{}, &operation.RejectedError{GameID: gameID, Operation: "stats", Reason: "the game does not run"}
	}
	return usage, nil
}

// Exec runs a command in the game's container, as ports.CommandRunner does. It returns *operation.RejectedError for a
// game that does not run on this node, or whose engine runs no commands, and the errors of the store.
func (s *Service) Exec(ctx context.Context, gameID string, command container.Command) (exitCode int, err error) {
	if s.deps.Commands == nil {
		return 0, &operation.RejectedError{GameID: gameID, Operation: "exec", Reason: "the engine of its node runs no commands"}
	}
	found, err := s.findContainer(ctx, "exec", gameID)
	if err != nil {
		return 0, err
	}
	exitCode, err = s.deps.Commands.Exec(ctx, found.ID, command)
	if errors.Is(err, container.ErrNotRunning) || errors.Is(err, container.ErrNoContainer) {
		return 0, &operation.RejectedError{GameID: gameID, Operation: "exec", Reason: "the game does not run"}
	}
	return exitCode, err
}
