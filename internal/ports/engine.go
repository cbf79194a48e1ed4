package ports

import (
	"context"
	"iter"
	"time"

	"galaxy/rtmanager/internal/domain/container"
)

// Engine runs the containers of games on one node: Docker, or plain local
// processes. The code above it cannot tell which.
//
// It sees and touches only containers of its own store and node: those that
// carry the labels which Create gave them. All methods are safe for concurrent
// use and end when ctx ends.
//
// What the engine cannot tell is unknown, and unknown is an error: besides the
// errors named below every method returns one that errors.Is
// runtime.ErrEngineUnavailable when the engine does not answer, does so in words
// that make no sense, or ctx ended first. An act that returned it may have been
// done or not; all acts may be repeated.
type Engine interface {
	ContainerRunner
	ContainerReader
}

// ContainerRunner change what an engine runs.
type ContainerRunner interface {
	// EnsureImage makes the image available on the node, and calls progress, which
	// may be nil, from time to time while that goes on, on the caller's goroutine. An image that is there
	// already is not looked for elsewhere. One that cannot be had is
	// runtime.ErrNoImage.
	EnsureImage(ctx context.Context, image string, progress func(container.ImageProgress)) error

	// Create makes a container of the spec and does not start it. A second Create
	// of the same name and operation id returns the container that the first one
	// made; a name that another operation's container has is
	// runtime.ErrContainerExists, whoever owns it. An image that is not on the node is
	// runtime.ErrNoImage; a spec that this engine cannot serve, a limit on an engine
	// without limits say, or labels of another store or node, is runtime.ErrInvalid.
	Create(ctx context.Context, spec container.Spec) (container.Container, error)

	// Start starts a container that was created or has exited; one that runs is
	// left alone, which is success. No such container is runtime.ErrNoContainer.
	// What keeps it from starting, such as a port that is taken, is
	// runtime.ErrStartFailed.
	Start(ctx context.Context, containerID string) error

	// Stop asks the container to exit, waits up to grace, and then kills it with
	// all its processes; grace 0 kills at once. It returns once the container has
	// exited; one that has already, or was never started, is success. No such
	// container is runtime.ErrNoContainer; one of which the engine cannot tell whether it
	// runs is runtime.ErrEngineUnavailable, and not success.
	Stop(ctx context.Context, containerID string, grace time.Duration) error

	// Remove deletes the container and what the engine keeps of it, killing it
	// first where it runs. No such container is success.
	Remove(ctx context.Context, containerID string) error
}

// ContainerReader tell what an engine runs.
type ContainerReader interface {
	// Capabilities says what this engine can do. It does not ask the engine.
	Capabilities() container.Capabilities

	// Inspect returns the container as it is now. No such container is
	// runtime.ErrNoContainer.
	Inspect(ctx context.Context, containerID string) (container.Container, error)

	// List returns the containers of the game, or of all games where gameID is
	// empty, in no particular order; none is an empty slice. A container that the
	// engine lists and cannot describe has the state ContainerUnknown.
	List(ctx context.Context, gameID string) ([]container.Container, error)

	// Logs returns the last lines that the container wrote, oldest first, at most
	// lines of them and 64 KiB in all. No such container is runtime.ErrNoContainer.
	Logs(ctx context.Context, containerID string, lines int) ([]string, error)

	// Events tells of containers that start, exit and are removed. Events are
	// hints: some may be lost, and a consumer looks for itself. The stream opens
	// with one EngineOpened event, which says whether anything may have been missed
	// since the stream before; another one follows where the stream itself had to
	// leave something out, for a consumer that is too slow say. It goes on until the
	// consumer stops ranging or an error, yielded beside a zero event, ends it:
	// runtime.ErrEngineUnavailable or ctx's own.
	Events(ctx context.Context) iter.Seq2[container.Event, error]
}
