package container

import (
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// EngineKind is the kind of an engine.
type EngineKind string

// The engines.
const (
	EngineKindDocker  EngineKind = "docker"
	EngineKindProcess EngineKind = "process" // local processes
)

// ImageProgress is the progress of an image pull. Bytes are 0 if unknown.
type ImageProgress struct {
	Text                  string `json:"text"`
	BytesDone, BytesTotal int64
}

// Spec specifies the container to create.
type Spec struct {
	// Name is unique on the node; the lifecycle service derives it from game and generation.
	Name   string
	Labels Labels
	Args   []string
	Env    map[string]string
	// Secrets are the names of secrets whose values are further variables. The engine gets
	// the values from its resolver; Env takes precedence.
	Secrets []string
	// Network is the network to join; empty means the engine's default network.
	Network string
	// Port is the port of the game on the node, 0 for any. ContainerPort is the port that
	// the game listens on inside the container.
	Port, ContainerPort int
	// Ports are further ports, at which players reach the game. The engine sets their Host.
	// It also chooses Port where it is 0, and the ContainerPort that is 0 is the same as Port.
	Ports       []runtime.Port
	CPUs        float64 // 0: no limit
	MemoryBytes int64   // 0: no limit
	// StopSignal is the name of the signal that Stop sends, such as SIGINT; empty means that
	// of the image or engine.
	StopSignal string
}

// Labels identify the owner of a container. They are set at creation and never change.
type Labels struct {
	// Store is the identity of the store that holds the record of the container.
	Store       string `json:"store"`
	GameID      string `json:"game_id"`
	Region      string `json:"region"`
	Node        string `json:"node"`
	Image       string `json:"image"`
	Generation  int64  `json:"generation"`
	OperationID string `json:"operation_id"`
	// Secrets has the versions of the secrets at the creation, in the form of
	// secret.EncodeVersions. It contains no values.
	Secrets string `json:"secrets,omitempty"`
}

// State is the state of a container.
type State string

// The states. A paused container is running.
const (
	StateCreated State = "created" // never started
	StateRunning State = "running"
	StateExited  State = "exited"
	// StateUnknown means that the container exists and the engine cannot determine its state.
	StateUnknown State = "unknown"
)

// Container is a container as reported by an engine.
type Container struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Labels Labels `json:"labels"`
	State  State  `json:"state"`
	// Image is the image that the container was created from, as the engine names it.
	Image string `json:"image"`
	// ImageDigest identifies the content of that image at the creation; empty if unknown.
	ImageDigest string `json:"image_digest,omitempty"`
	// ExitCode is the exit code, 128 + N after signal N; nil if unknown or not exited.
	ExitCode *int `json:"exit_code,omitempty"`
	// OOMKilled reports that the kernel killed the main process because the container or
	// the machine was out of memory. It is the reason for the exit.
	OOMKilled bool `json:"oom_killed,omitempty"`
	// ChildOOMKilled reports that the kernel killed other processes of this run because the
	// container was out of memory. It is not the reason for the exit.
	ChildOOMKilled bool `json:"child_oom_killed,omitempty"`
	// StopKilled reports that the exit was forced: a Stop killed processes that did not exit
	// within its grace. Report it with the stop, as in "did not exit within the grace of 10s and
	// was killed". It is false if unknown, and for a Stop without grace.
	StopKilled bool `json:"stop_killed,omitempty"`
	// Paused reports that the container is running and all its processes are frozen.
	Paused bool `json:"paused,omitempty"`
	// EngineRestartedAt is when the engine or its machine restarted, if that was after the
	// start of an exited container: it may have ended the container. Otherwise it is nil.
	EngineRestartedAt *time.Time `json:"engine_restarted_at,omitempty"`
	// StartedAt and ExitedAt are times of the node's clock; nil if unknown or not
	// applicable.
	StartedAt *time.Time `json:"started_at,omitempty"`
	ExitedAt  *time.Time `json:"exited_at,omitempty"`
	// Endpoint is the URL of the game as seen from the node, http://HOST:PORT; empty if
	// unknown, and while the container is not running.
	Endpoint string `json:"endpoint,omitempty"`
	// Ports are the addresses at which players reach the game; empty while the container is
	// not running.
	Ports []runtime.Port `json:"ports,omitempty"`
	// ReservedPorts are the ports of players that the container has in every state, without
	// Host.
	ReservedPorts []runtime.Port `json:"-"`
	// StatePath is the state directory of the container on the node, empty if it has none.
	StatePath string `json:"state_path,omitempty"`
	// Network is the network that the container joined.
	Network string `json:"network,omitempty"`
}
