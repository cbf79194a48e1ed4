package ports

import (
	"context"
	"iter"
	"time"

	"galaxy/rtmanager/internal/domain/container"
)

// Engine runs the containers of games on one node: Docker, or local processes. The
// code above it does not depend on which.
//
// An engine reads and changes only the containers of its own store, region and node:
// those that carry the labels which Create gave them. All methods are safe for
// concurrent use and end when ctx ends.
//
// A state that the engine cannot determine is unknown, and unknown is an error. Every
// method may return container.ErrEngineUnavailable, in addition to the errors named below:
// if the engine does not respond, if its response is malformed, or if ctx ended first. The
// effect of a method that returned this error is unknown. All methods may be repeated.
type Engine interface {
	ContainerReader

	// EnsureImage makes the image available on the node. While it works it calls
	// progress, which may be nil, on the caller's goroutine. It does not look for a
	// newer version of an image that is already on the node. It returns
	// container.ErrNoImage if the image cannot be obtained.
	EnsureImage(ctx context.Context, image string, progress func(container.ImageProgress)) error

	// Create creates a container from the spec and does not start it. A second Create
	// with the same name and operation id returns the container of the first. It
	// returns container.ErrContainerExists if another operation's container has the
	// name, with any owner, and container.ErrNoImage if the image is not on the
	// node. It returns runtime.ErrInvalid for a spec that this engine does not support,
	// such as a limit on an engine without limits. It also returns runtime.ErrInvalid
	// for labels of another store, region or node.
	Create(ctx context.Context, spec container.Spec) (container.Container, error)

	// Start starts a container that was created or has exited. It returns nil and does
	// nothing if the container is running. It returns container.ErrNoContainer if there
	// is no such container, and operation.ErrStartFailed if the container cannot start,
	// for example because its port is in use.
	Start(ctx context.Context, containerID string) error

	// Stop requests the container to exit, waits up to grace, and then kills all its
	// processes; grace 0 kills at once. It returns once the container has exited. It
	// returns nil if the container has exited before or was never started,
	// container.ErrNoContainer if there is no such container, and
	// container.ErrEngineUnavailable if the engine cannot determine whether it runs.
	Stop(ctx context.Context, containerID string, grace time.Duration) error

	// Remove deletes the container and the engine's data about it, and kills it first
	// if it is running. It returns nil if there is no such container.
	Remove(ctx context.Context, containerID string) error
}

// ContainerReader is the part of an engine that changes nothing.
type ContainerReader interface {
	// Kind names the engine, without a call to it.
	Kind() container.EngineKind

	// Inspect returns the current state of the container, and
	// container.ErrNoContainer if there is no such container.
	Inspect(ctx context.Context, containerID string) (container.Container, error)

	// List returns the containers of the game, or of all games if gameID is empty, in
	// no particular order. The slice is empty, not nil, if there is none. A container
	// that the engine lists but cannot describe has the state container.StateUnknown.
	List(ctx context.Context, gameID string) ([]container.Container, error)

	// Logs returns the last lines that the container wrote, oldest first: at most
	// lines of them and 64 KiB in total. It returns container.ErrNoContainer if there
	// is no such container.
	Logs(ctx context.Context, containerID string, lines int) ([]string, error)

	// Events streams the containers that start, exit and are removed. Events are
	// hints: some may be lost, and a consumer reads the state itself. The first event
	// has the type container.EventStreamOpened; its EventsMissed reports whether
	// events may have been lost since the previous stream. Another event of this type
	// follows whenever the stream had to drop events, for example for a slow consumer.
	// The stream lasts until the consumer stops ranging, or until an error, yielded
	// with a zero event, ends it: container.ErrEngineUnavailable or the error of ctx.
	Events(ctx context.Context) iter.Seq2[container.Event, error]
}
