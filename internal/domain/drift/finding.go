package drift

import (
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Kind is one way in which record, intent and engine can disagree.
type Kind string

// The kinds of finding.
const (
	// DriftOrphan: a live container of ours, and no record.
	KindOrphan Kind = "orphan"
	// DriftExited: the record says running, its container has exited.
	KindExited Kind = "exited"
	// DriftGone: the record names a container, and the engine has none of that id.
	KindMissing Kind = "missing"
	// DriftResumed: the record says stopped, its container runs.
	KindUnexpectedRun Kind = "unexpected_run"
	// DriftStale: a container that is not the record's, while no operation made it.
	KindStale Kind = "stale"
	// DriftTwin: the same, and the record's own container is alive too.
	KindDuplicate Kind = "duplicate"
	// DriftImage: the record names another image than its container has.
	KindImage Kind = "image"
	// DriftPlace: the record names another node, or another endpoint, than its container has.
	KindLocation Kind = "location"
	// DriftCrashed: nobody stopped the game, and its policy says to start it again.
	KindCrashed Kind = "crashed"
	// DriftCrashLoop: nobody stopped the game, and its policy's attempts are used up.
	KindCrashLoop Kind = "crash_loop"
	// DriftUnfinished: an operation was left behind by a daemon that is gone.
	KindInterrupted Kind = "interrupted"
	// DriftUnhealthy: the container runs and does not answer for its health.
	KindUnhealthy Kind = "unhealthy"
	// DriftNodeLost: the game's node is not there.
	KindNodeLost Kind = "node_lost"
	// DriftUnknown: the engine could not tell; nothing follows from it.
	KindUnknown Kind = "unknown"
)

// Action is what a finding proposes.
type Action string

// The actions.
const (
	// ActionNone: nothing can or should be done; see the evidence.
	ActionNone              Action = "none"
	ActionAdopt             Action = "adopt"              // write a record of the container
	ActionMarkStopped       Action = "mark_stopped"       // move the record to stopped
	ActionMarkRemoved       Action = "mark_removed"       // move the record to removed
	ActionMarkRunning       Action = "mark_running"       // move the record to running
	ActionCorrectRecord     Action = "correct_record"     // write into the record what its container is
	ActionRemoveContainer   Action = "remove_container"   // stop and remove the container
	ActionRestart           Action = "restart"            // start the game again
	ActionCompleteOperation Action = "complete_operation" // finish the operation, or roll it back
	ActionReschedule        Action = "reschedule"         // start the game on another node
)

// Finding is one disagreement, with what it rests on and what is proposed. It
// is pinned: applying it does nothing unless record and intent still stand at
// these revisions.
type Finding struct {
	// ID names the finding for as long as it is the same one.
	ID     string `json:"id"`
	Kind   Kind   `json:"kind"`
	GameID string `json:"game_id"`
	// Region and Node are where it was found.
	Region string `json:"region"`
	Node   string `json:"node"`
	Action Action `json:"action"`
	// Evidence says in words what was seen.
	Evidence string `json:"evidence"`
	// Certain: there is proof that the container's time is over, a newer generation or
	// the engine's own word that it has removed it. The brake does not hold what is certain.
	Proven bool `json:"proven,omitempty"`
	// BlockedBy says why the action is not taken by itself: the brake, say. Empty if it is.
	BlockedBy string `json:"blocked_by,omitempty"`
	// FirstSeen is by the node's clock; Seen counts how often.
	FirstSeen    time.Time `json:"first_seen"`
	Observations int       `json:"observations"`
	// RecordRevision and IntentRevision are 0 where there is none.
	RecordRevision int64 `json:"record_revision"`
	IntentRevision int64 `json:"intent_revision"`
	// ContainerID is the container that the finding is about, if it is about one.
	ContainerID string `json:"container_id,omitempty"`
}

// Report is what one or more nodes found.
type Report struct {
	Findings []Finding `json:"findings"`
	// Brakes are the brakes that hold.
	Brakes []Brake `json:"brakes"`
	// Missing names the nodes that did not answer, and why. What they would have
	// found is not in the report.
	Missing []UnreachableNode `json:"missing"`
}

// Brake holds back destructive actions of one node, because one pass would have
// taken too many.
type Brake struct {
	Region string    `json:"region"`
	Node   string    `json:"node"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
}

// UnreachableNode is a node that did not answer.
type UnreachableNode struct {
	Region string `json:"region"`
	Node   string `json:"node"`
	Reason string `json:"reason"`
}

// ApplyStatus is what became of a finding that was to be acted on.
type ApplyStatus string

// The results of acting on a finding.
const (
	// Applied: what the finding proposes has been done.
	ApplyDone ApplyStatus = "done"
	// ApplyStale: record, intent or container are not any more what the finding rests
	// on; nothing was done.
	ApplyStale ApplyStatus = "stale"
	// ApplyHeld: the finding proposes nothing, or something holds its
	// action back; nothing was done.
	ApplyBlocked ApplyStatus = "blocked"
	// ApplyFailed: it was tried, or its node could not be asked; Reason says whether
	// it may have been done.
	ApplyFailed ApplyStatus = "failed"
)

// ApplyResult is what became of one finding.
type ApplyResult struct {
	ID     string      `json:"id"`
	GameID string      `json:"game_id"`
	Region string      `json:"region"`
	Node   string      `json:"node"`
	Action Action      `json:"action"`
	Status ApplyStatus `json:"status"`
	// Reason says why it was not applied; empty if it was.
	Reason string `json:"reason,omitempty"`
}

// Explanation says what a game is doing and how it came to that. What could not
// be learned is missing, and Trouble says so.
type Explanation struct {
	GameID   string                 `json:"game_id"`
	Record   *runtime.RuntimeRecord `json:"record,omitempty"`
	Revision int64                  `json:"revision,omitempty"`
	// Intent is nil for a game that was never operated on.
	Intent     *operation.Intent     `json:"intent,omitempty"`
	History    []runtime.LedgerEntry `json:"history"`
	Containers []container.Container `json:"containers"`
	// Logs are the last lines of the record's container.
	Logs     []string  `json:"logs"`
	Findings []Finding `json:"findings"`
	Warnings []string  `json:"warnings"`
}
