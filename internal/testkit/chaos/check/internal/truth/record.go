package truth

import (
	"encoding/json"
	"fmt"
	"time"
)

// The statuses of a record.
const (
	Running = "running"
	Stopped = "stopped"
	Removed = "removed"
)

// The kinds of a write.
const (
	Upsert     = "upsert"
	Transition = "transition"
)

// Record is the part of a stored record that rules read.
type Record struct {
	GameID      string     `json:"game_id"`
	Status      string     `json:"status"`
	Region      string     `json:"region"`
	Node        string     `json:"node"`
	ContainerID string     `json:"current_container_id"`
	Image       string     `json:"current_image_ref"`
	StatePath   string     `json:"state_path"`
	Generation  int64      `json:"generation"`
	CreatedAt   *time.Time `json:"created_at"`
	LastOpAt    *time.Time `json:"last_op_at"`
	StartedAt   *time.Time `json:"started_at"`
	StoppedAt   *time.Time `json:"stopped_at"`
	RemovedAt   *time.Time `json:"removed_at"`
	LastWrite   LastWrite  `json:"last_write"`
}

// LastWrite identifies the write that made a record what it is, except for its condition.
type LastWrite struct {
	OperationID       string `json:"operation_id"`
	Seq               int64  `json:"seq"`
	Kind              string `json:"kind"`
	HasNewerCondition bool   `json:"has_newer_condition"`
}

// Entry is one entry of the ledger, with the revision that wrote it.
type Entry struct {
	Seq         int64  `json:"seq"`
	From        string `json:"from"`
	To          string `json:"to"`
	OperationID string `json:"operation_id"`
	ContainerID string `json:"container_id"`
	Image       string `json:"image"`
	Revision    int64  `json:"revision"`

	At   int64  `json:"-"` // when the recording received it
	Game string `json:"-"`
}

// ParseRecord parses a record, as etcd or a response has it.
func ParseRecord(value []byte) (*Record, error) {
	var r Record
	if err := json.Unmarshal(value, &r); err != nil {
		return nil, fmt.Errorf("the value is not a record: %w", err)
	}
	return &r, nil
}

// ParseEntry parses an entry of the ledger, as etcd or a response has it.
func ParseEntry(value []byte) (*Entry, error) {
	var e Entry
	if err := json.Unmarshal(value, &e); err != nil {
		return nil, fmt.Errorf("the value is not a ledger entry: %w", err)
	}
	return &e, nil
}

// Contradiction returns how the record contradicts its status, empty if it does not.
func (r *Record) Contradiction() string {
	switch {
	case r.CreatedAt == nil || r.LastOpAt == nil:
		return "created_at and last_op_at are required"
	case r.Status == Running && (r.ContainerID == "" || r.StartedAt == nil || r.StoppedAt != nil || r.RemovedAt != nil):
		return "running requires a container and started_at, and forbids stopped_at and removed_at"
	case r.Status == Stopped && (r.ContainerID == "" || r.StoppedAt == nil || r.RemovedAt != nil):
		return "stopped requires a container and stopped_at, and forbids removed_at"
	case r.Status == Removed && (r.ContainerID != "" || r.RemovedAt == nil):
		return "removed requires removed_at, and forbids a container"
	case r.Status != Running && r.Status != Stopped && r.Status != Removed:
		return fmt.Sprintf("the status %q does not exist", r.Status)
	default:
		return ""
	}
}

// IsAllowed reports whether a transition between the statuses is allowed.
func IsAllowed(from, to string) bool {
	return from == Running && (to == Stopped || to == Removed) || from == Stopped && (to == Running || to == Removed)
}
