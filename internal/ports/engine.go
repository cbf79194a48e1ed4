package ports

import (
	"context"
	"iter"
	"time"
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
	EnsureImage(ctx context.Context, image string, progress func(ImageProgress)) error

	// Create makes a container of the spec and does not start it. A second Create
	// of the same name and operation id returns the container that the first one
	// made; a name that another operation's container has is
	// runtime.ErrContainerExists, whoever owns it. An image that is not on the node is
	// runtime.ErrNoImage; a spec that this engine cannot serve, a limit on an engine
	// without limits say, or labels of another store or node, is runtime.ErrInvalid.
	Create(ctx context.Context, spec ContainerSpec) (Container, error)

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
	Capabilities() EngineCapabilities

	// Inspect returns the container as it is now. No such container is
	// runtime.ErrNoContainer.
	Inspect(ctx context.Context, containerID string) (Container, error)

	// List returns the containers of the game, or of all games where gameID is
	// empty, in no particular order; none is an empty slice. A container that the
	// engine lists and cannot describe has the state ContainerUnknown.
	List(ctx context.Context, gameID string) ([]Container, error)

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
	Events(ctx context.Context) iter.Seq2[EngineEvent, error]
}

// EngineCapabilities says what an engine can do.
type EngineCapabilities struct {
	// Kind is the engine's name: "docker" or "process".
	Kind string `json:"kind"`
	// Limits reports whether CPUs and memory can be limited.
	Limits bool `json:"limits"`
	// Networks reports whether containers can join named networks.
	Networks bool `json:"networks"`
	// Pull reports whether images can be fetched from elsewhere.
	Pull bool `json:"pull"`
}

// ImageProgress tells how far an image has come. Bytes are 0 where they are not known.
type ImageProgress struct {
	Text                  string `json:"text"`
	BytesDone, BytesTotal int64
}

// ContainerSpec says what container to create.
type ContainerSpec struct {
	// Name is unique on the node; the service makes it from the game and the generation.
	Name   string
	Labels ContainerLabels
	Args   []string
	Env    map[string]string
	// Network is the network to join; empty is the engine's default one.
	Network string
	// Port is the port on the node at which the game is reached, 0 for any;
	// ContainerPort the one it listens on inside.
	Port, ContainerPort int
	CPUs                float64 // 0: no limit
	MemoryBytes         int64   // 0: no limit
}

// ContainerLabels say whose a container is. They are given once and never change.
type ContainerLabels struct {
	// Store is the identity of the store whose records the container belongs to.
	Store       string `json:"store"`
	GameID      string `json:"game_id"`
	Region      string `json:"region"`
	Node        string `json:"node"`
	Image       string `json:"image"`
	Generation  int64  `json:"generation"`
	OperationID string `json:"operation_id"`
}

// ContainerState is what a container does.
type ContainerState string

// The states. A container that is paused runs.
const (
	ContainerCreated ContainerState = "created" // never started
	ContainerRunning ContainerState = "running"
	ContainerExited  ContainerState = "exited"
	// ContainerUnknown: it is there, and the engine cannot say what it does.
	ContainerUnknown ContainerState = "unknown"
)

// Container is a container as an engine told of it.
type Container struct {
	ID     string          `json:"id"`
	Name   string          `json:"name"`
	Labels ContainerLabels `json:"labels"`
	State  ContainerState  `json:"state"`
	// Image is the image it was made from, as the engine names it.
	Image string `json:"image"`
	// ExitCode is what an exited container returned, 128 + N for death by signal
	// N; nil where that is not known.
	ExitCode *int `json:"exit_code,omitempty"`
	// OOMKilled reports that it was killed for want of memory.
	OOMKilled bool `json:"oom_killed,omitempty"`
	// StartedAt and ExitedAt are by the node's clock; nil where they do not apply
	// or are not known.
	StartedAt *time.Time `json:"started_at,omitempty"`
	ExitedAt  *time.Time `json:"exited_at,omitempty"`
	// Endpoint is where the game is reached from the node, http://HOST:PORT; empty
	// where it is not known, which is so while it does not run.
	Endpoint string `json:"endpoint,omitempty"`
	// StatePath is the directory on the node that the container keeps its state in,
	// empty if it has none.
	StatePath string `json:"state_path,omitempty"`
	// Network is the network that it joined.
	Network string `json:"network,omitempty"`
}

// EngineEventType is the kind of an EngineEvent.
type EngineEventType string

// The kinds of event.
const (
	// EngineOpened: the stream is open. Only Continuity is set.
	EngineOpened EngineEventType = "opened"
	// EngineStarted, EngineExited, EngineRemoved: a container of ours did so.
	EngineStarted EngineEventType = "started"
	EngineExited  EngineEventType = "exited"
	EngineRemoved EngineEventType = "removed"
)

// EventContinuity says whether an event may have been missed.
type EventContinuity string

// The continuities.
const (
	// ContinuityKnown: nothing has happened that was not told.
	ContinuityKnown EventContinuity = "known"
	// ContinuityUnknown: something may have; look at everything.
	ContinuityUnknown EventContinuity = "unknown"
)

// EngineEvent tells of one thing that happened to a container.
type EngineEvent struct {
	Type        EngineEventType
	Continuity  EventContinuity
	GameID      string
	ContainerID string
}
