package drift

import "time"

// Report holds the findings of one or more nodes.
type Report struct {
	Findings []Finding `json:"findings"`
	// Brakes are the engaged brakes.
	Brakes []Brake `json:"brakes"`
	// Missing lists the nodes that did not respond. Their findings are not in the report.
	Missing []UnreachableNode `json:"missing"`
}

// Brake is an engaged brake. It blocks the destructive actions of one node, because a
// pass would have removed too many records or containers.
type Brake struct {
	Region string    `json:"region"`
	Node   string    `json:"node"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
}

// UnreachableNode is a node that did not respond.
type UnreachableNode struct {
	Region string `json:"region"`
	Node   string `json:"node"`
	Reason string `json:"reason"`
}

// ApplyResult is the result of applying one finding.
type ApplyResult struct {
	ID     string      `json:"id"`
	GameID string      `json:"game_id"`
	Region string      `json:"region"`
	Node   string      `json:"node"`
	Action Action      `json:"action"`
	Status ApplyStatus `json:"status"`
	// Reason is why the finding was not applied; empty if it was.
	Reason string `json:"reason,omitempty"`
}

// ApplyStatus is the result of applying a finding.
type ApplyStatus string

// The results of applying a finding.
const (
	// ApplyDone: the action has been carried out.
	ApplyDone ApplyStatus = "done"
	// ApplyStale: the record, the intent or the container has changed since the
	// observation; nothing was changed.
	ApplyStale ApplyStatus = "stale"
	// ApplyBlocked: the finding proposes nothing, or its action is blocked; nothing was
	// changed.
	ApplyBlocked ApplyStatus = "blocked"
	// ApplyFailed: the action failed, or its node could not be reached. Reason states
	// whether the action may have been carried out.
	ApplyFailed ApplyStatus = "failed"
)
