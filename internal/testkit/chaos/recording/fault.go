package recording

import "encoding/json"

// Fault is one fault that was injected.
type Fault struct {
	Kind     string `json:"kind"`   // such as "member killed"
	Target   string `json:"target"` // such as a region or a node
	Detail   string `json:"detail,omitempty"`
	Started  int64  `json:"started"`
	Repaired int64  `json:"repaired"` // when the harness had repaired it
	// Error is why it could not be injected or repaired; empty if it was.
	Error string `json:"error,omitempty"`
	// Unrepaired means that the error is of the repair: the cluster may not have been whole afterwards.
	Unrepaired bool `json:"unrepaired,omitempty"`
}

// Sample is a part of the state of the cluster at one time.
type Sample struct {
	At   int64  `json:"at"`
	Kind string `json:"kind"`
	// Subject is what it is about, such as a node.
	Subject string          `json:"subject"`
	Value   json.RawMessage `json:"value"`
}

// The kinds of sample, with the type of their value.
const (
	Containers  = "containers"   // []Container that run on the node
	EtcdLeader  = "etcd leader"  // string: the member that leads
	FinalList   = "final list"   // []Item: all records as the node lists them, after the run was stable
	FinalFsck   = "final fsck"   // []string: findings of fsck at the node
	FinalDrift  = "final drift"  // []string: findings of drift at the node
	Calls       = "calls"        // string: a call of the client that never returned
	Streams     = "streams"      // string: a watcher that did not receive all changes after the run was stable
	FinalHealth = "final health" // int: the status code of /readyz of the node
)

// Container is a process of a game.
type Container struct {
	ID   string `json:"id"`
	Game string `json:"game"`
	PID  int    `json:"pid"`
}
