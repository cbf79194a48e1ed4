package drift

import "time"

// Kind is a kind of disagreement between record, intent and engine.
type Kind string

// The kinds of finding.
const (
	// KindOrphan: the engine has a container of the game, and the game has no record.
	KindOrphan Kind = "orphan"
	// KindExited: the record is running, and its container has exited.
	KindExited Kind = "exited"
	// KindMissing: the engine has no container with the ID that the record names.
	KindMissing Kind = "missing"
	// KindUnexpectedRun: the record is stopped, and its container is running.
	KindUnexpectedRun Kind = "unexpected_run"
	// KindStale: the engine has a container of the game that the record does not name.
	KindStale Kind = "stale"
	// KindDuplicate: a stale container is running while the record's container is running.
	KindDuplicate Kind = "duplicate"
	// KindImage: the record names another image than its container has.
	KindImage Kind = "image"
	// KindLocation: the record names another node or endpoint than its container has.
	KindLocation Kind = "location"
	// KindCrashed: the container exited or was removed, no operation did that, and the crash
	// policy allows a restart.
	KindCrashed Kind = "crashed"
	// KindCrashLoop: the container exited or was removed, no operation did that, and the
	// crash policy allows no further restart.
	KindCrashLoop Kind = "crash_loop"
	// KindNotRunning: the desired status is running, the game does not run, and its crash
	// policy does not apply. A game that ended with its engine or machine is started.
	KindNotRunning Kind = "not_running"
	// KindPaused: the container is paused, and the game has no health check to fail.
	KindPaused Kind = "paused"
	// KindInterrupted: no daemon is running the operation in progress. Its daemon stopped,
	// or the operation was assigned to this node and has not started.
	KindInterrupted Kind = "interrupted"
	// KindOperationOverdue: the operation in progress has passed its deadline.
	KindOperationOverdue Kind = "operation_overdue"
	// KindUnhealthy: the container is running and fails its health check.
	KindUnhealthy Kind = "unhealthy"
	// KindNodeLost: the node of the game is absent. Worker failover reports it.
	KindNodeLost Kind = "node_lost"
	// KindUnknown: the engine could not report the state. No action is proposed.
	KindUnknown Kind = "unknown"
)

// Kinds returns all kinds of findings.
func Kinds() []Kind {
	return []Kind{
		KindOrphan, KindExited, KindMissing, KindUnexpectedRun, KindStale, KindDuplicate, KindImage, KindLocation, KindCrashed, KindCrashLoop,
		KindNotRunning, KindPaused, KindInterrupted, KindOperationOverdue, KindUnhealthy, KindNodeLost, KindUnknown,
	}
}

// Action is the action that a finding proposes.
type Action string

// The actions.
const (
	// ActionNone means that no action is proposed; the evidence states why.
	ActionNone              Action = "none"
	ActionAdopt             Action = "adopt"              // write a record for the container
	ActionMarkStopped       Action = "mark_stopped"       // transition the record to stopped
	ActionMarkRemoved       Action = "mark_removed"       // transition the record to removed
	ActionMarkRunning       Action = "mark_running"       // transition the record to running
	ActionCorrectRecord     Action = "correct_record"     // copy the properties of the container into the record
	ActionRemoveContainer   Action = "remove_container"   // stop and remove the container
	ActionRestart           Action = "restart"            // start the game, or restart an unhealthy one
	ActionCompleteOperation Action = "complete_operation" // complete the operation, or roll it back
	ActionReschedule        Action = "reschedule"         // start the game on another node
)

// Finding is one disagreement, with its evidence and the proposed action. It is valid
// for the revisions that it names: applying it changes nothing if the record or the
// intent has another revision.
type Finding struct {
	// ID identifies the finding across observations: kind, game and container.
	ID     string `json:"id"`
	Kind   Kind   `json:"kind"`
	GameID string `json:"game_id"`
	// Region and Node name the node that observed it.
	Region string `json:"region"`
	Node   string `json:"node"`
	Action Action `json:"action"`
	// Evidence is a description of the observation.
	Evidence string `json:"evidence"`
	// Proven reports that the container is certainly obsolete or removed: the record has a
	// newer generation, or the engine reported the removal. The brake does not block
	// proven findings.
	Proven bool `json:"proven,omitempty"`
	// BlockedBy is the reason why the action is not applied automatically, for example the
	// brake. It is empty if nothing blocks the action.
	BlockedBy string `json:"blocked_by,omitempty"`
	// FirstSeen is the time of the first observation by the node's clock. Observations is
	// the number of observations since then.
	FirstSeen    time.Time `json:"first_seen"`
	Observations int       `json:"observations"`
	// RecordRevision and IntentRevision are 0 if the game has no record or no intent.
	RecordRevision int64 `json:"record_revision"`
	IntentRevision int64 `json:"intent_revision"`
	// ContainerID is the container that the finding concerns; empty if none.
	ContainerID string `json:"container_id,omitempty"`
	// RecordChangedAt is LastOpAt of the record, zero for none. It differs between two findings if the
	// game has changed, and not if its labels, metadata or condition have.
	RecordChangedAt time.Time `json:"-"`
}
