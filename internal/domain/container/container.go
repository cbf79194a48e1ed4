package container

import "time"

// EngineKind names an engine.
type EngineKind string

// The engines.
const (
	EngineKindDocker  EngineKind = "docker"
	EngineKindProcess EngineKind = "process" // local processes
)

// ImageProgress tells how far an image has come. Bytes are 0 where they are not known.
type ImageProgress struct {
	Text                  string `json:"text"`
	BytesDone, BytesTotal int64
}

// Spec says what container to create.
type Spec struct {
	// Name is unique on the node; the service makes it from the game and the generation.
	Name   string
	Labels Labels
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

// Labels say whose a container is. They are given once and never change.
type Labels struct {
	// Store is the identity of the store whose records the container belongs to.
	Store       string `json:"store"`
	GameID      string `json:"game_id"`
	Region      string `json:"region"`
	Node        string `json:"node"`
	Image       string `json:"image"`
	Generation  int64  `json:"generation"`
	OperationID string `json:"operation_id"`
}

// State is what a container does.
type State string

// The states. A container that is paused runs.
const (
	StateCreated State = "created" // never started
	StateRunning State = "running"
	StateExited  State = "exited"
	// ContainerUnknown: it is there, and the engine cannot say what it does.
	StateUnknown State = "unknown"
)

// Container is a container as an engine told of it.
type Container struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Labels Labels `json:"labels"`
	State  State  `json:"state"`
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
