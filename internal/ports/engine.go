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
// those that carry the labels which Create gave them. RemoveForeign is the exception. All
// methods are safe for concurrent use and end when ctx ends.
//
// No process of a game outlives its container, in any session, with any parent and any
// open descriptors. When the first process exits, the engine ends the others. Only if it exits with
// code 0, the engine may treat it as a launcher: the container then runs until all processes
// have exited.
//
// A state that the engine cannot determine is unknown, and unknown is an error. Every
// method may return container.ErrEngineUnavailable, in addition to the errors named below:
// if the engine does not respond, if its response is malformed, or if ctx ended first. The
// effect of a method that returned this error is unknown. All methods may be repeated.
type Engine interface {
	ContainerReader

	// HasImage reports whether the image is on the node. It changes nothing. It returns
	// false for a reference that names no image.
	HasImage(ctx context.Context, image string) (bool, error)

	// ImageDigest identifies the content that the image reference names on the node at
	// present. It is equal to the ImageDigest of a container if that was created from the
	// same content. It changes nothing, and returns an empty digest if the image is not on
	// the node.
	ImageDigest(ctx context.Context, image string) (string, error)

	// PullImage is EnsureImage, but requests the image from its registry in any case: the
	// reference may name another content there now. An engine without registries does what
	// EnsureImage does.
	PullImage(ctx context.Context, image string, progress func(container.ImageProgress)) error

	// EnsureImage makes the image available on the node. While it works it calls
	// progress, which may be nil, on the caller's goroutine. It does not look for a
	// newer version of an image that is already on the node. It returns
	// container.ErrNoImage if the image cannot be obtained, and
	// container.ErrRegistryUnreachable if its registry cannot be reached.
	EnsureImage(ctx context.Context, image string, progress func(container.ImageProgress)) error

	// ValidateSpec returns runtime.ErrInvalid for a spec that this engine does not support,
	// such as a limit on an engine without limits, labels of another store, region or
	// node, or an image reference that this engine never resolves. It changes nothing, so
	// callers reject such a spec before they accept an operation.
	ValidateSpec(ctx context.Context, spec container.Spec) error

	// Create creates a container from the spec and does not start it. An engine that keeps
	// the variables of a container gets the values of spec.Secrets now, and otherwise at
	// each Start: the error is secret.ErrUnresolved if that fails. A second Create
	// with the same name and operation id returns the container of the first. It
	// returns container.ErrContainerExists if another operation's container has the
	// name, with any owner, and container.ErrNoImage if the image is not on the
	// node. It returns runtime.ErrInvalid for a spec that ValidateSpec rejects, except for
	// its image reference, which is container.ErrNoImage.
	//
	// Create chooses the ports of spec.Ports without a number: those of the game's other
	// container, or else free ones of the engine's range. The container keeps its ports until it
	// is removed, for every engine of its owner, and reserves them also while it does not
	// run: no two games of a node have the same port. Create returns operation.ErrStartFailed if a
	// port of the spec belongs to another game, or if no port is free.
	Create(ctx context.Context, spec container.Spec) (container.Container, error)

	// Start starts a container that was created or has exited. It returns nil and does
	// nothing if the container is running. It returns container.ErrNoContainer if there
	// is no such container, and operation.ErrStartFailed if the container cannot start,
	// for example because its port is in use, or a secret cannot be provided.
	Start(ctx context.Context, containerID string) error

	// Stop requests the container to exit, waits up to grace until all its processes have
	// exited, and then kills the others; grace 0 kills at once. Inspect then reports in
	// StopKilled whether it had to kill, if known. Stop returns once the container has
	// exited. It
	// returns nil if the container has exited before or was never started,
	// container.ErrNoContainer if there is no such container, and
	// container.ErrEngineUnavailable if the engine cannot determine whether it runs.
	Stop(ctx context.Context, containerID string, grace time.Duration) error

	// Remove deletes the container and the engine's data about it, and kills it first
	// if it is running. It returns nil if there is no such container.
	Remove(ctx context.Context, containerID string) error

	// RemoveForeign removes the containers of the game that other nodes of the store have
	// created on this engine, and stops them first as Stop does. The caller starts the game on
	// this node: a game never runs twice on an engine that nodes share. It returns nil if
	// there are none, and always for an engine that only one node uses.
	RemoveForeign(ctx context.Context, gameID string, grace time.Duration) error
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

	// StreamLogs yields the selected lines of standard output and standard error, oldest first.
	// It yields a line that is longer than container.MaxLogLineBytes in parts, and bytes that are not UTF-8 as
	// question marks. The engine does not read ahead of a slow consumer beyond a small buffer; lines that
	// the engine drops from a bounded log in the meantime are missing. With IsFollowing
	// the stream ends once the container has exited and its last line is yielded, and at once for
	// a container that does not run. An error is yielded with a zero line and ends the stream:
	// container.ErrNoContainer if there is no such container, and container.ErrEngineUnavailable,
	// also if ctx has ended.
	StreamLogs(ctx context.Context, containerID string, options container.LogOptions) iter.Seq2[container.LogLine, error]

	// Usage returns what the container uses at present, and the zero Usage for one that does not run. It
	// returns container.ErrNoContainer if there is no such container.
	Usage(ctx context.Context, containerID string) (container.Usage, error)

	// Events streams the containers that start, exit and are removed. Events are
	// hints: some may be lost, and a consumer reads the state itself. The first event
	// has the type container.EventStreamOpened; its EventsMissed reports whether
	// events may have been lost since the previous stream. Another event of this type
	// follows whenever the stream had to drop events, for example for a slow consumer.
	// The stream lasts until the consumer stops ranging, or until an error, yielded
	// with a zero event, ends it: container.ErrEngineUnavailable or the error of ctx.
	Events(ctx context.Context) iter.Seq2[container.Event, error]
}
