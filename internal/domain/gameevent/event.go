package gameevent

import (
	"fmt"
	"strings"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Type is what has happened.
type Type string

// The types, in the order of the events of one change.
const (
	Created         Type = "created"       // the first record of a game; To is its status
	NodeLost        Type = "node_lost"     // the node of the game is lost
	NodeReturned    Type = "node_returned" // the lost node is present
	Started         Type = "operation_started"
	Relocated       Type = "moved"            // From and To are nodes REGION/NODE
	ImageChanged    Type = "image_changed"    // From and To are image references
	StatusChanged   Type = "status_changed"   // From and To are statuses
	CrashRestarted  Type = "crash_restarted"  // the node has restarted the game after a crash
	CrashLoop       Type = "crash_loop"       // the game crashed and has no restart left
	CrashLoopEnded  Type = "crash_loop_ended" // the game is in no crash loop any more
	HealthChanged   Type = "health_changed"   // From and To are healths
	ReadyChanged    Type = "ready_changed"    // To is true if players can use the game
	LabelsChanged   Type = "labels_changed"
	MetadataChanged Type = "metadata_changed"
	Finished        Type = "operation_finished"
	Deleted         Type = "deleted" // the record was deleted; From is its status
)

// Types returns all types.
func Types() []Type {
	return []Type{
		Created, NodeLost, NodeReturned, Started, Relocated, ImageChanged, StatusChanged, CrashRestarted, CrashLoop, CrashLoopEnded,
		HealthChanged, ReadyChanged, LabelsChanged, MetadataChanged, Finished, Deleted,
	}
}

// ParseType returns the type of the name, and otherwise a *runtime.InvalidError on the field.
func ParseType(field, name string) (Type, error) {
	for _, t := range Types() {
		if string(t) == name {
			return t, nil
		}
	}
	return "", &runtime.InvalidError{Field: field, Reason: fmt.Sprintf("%.64q is not a type of events; use one of %s", name, typeNames())}
}

// typeNames returns the names of all types, separated by commas.
func typeNames() string {
	names := make([]string, 0, len(Types()))
	for _, t := range Types() {
		names = append(names, string(t))
	}
	return strings.Join(names, ", ")
}

// Result is the result of an operation.
type Result string

// The results.
const (
	Succeeded Result = "succeeded"
	Failed    Result = "failed"
	// Unknown: the outcome is not among the recent ones of the game any more.
	Unknown Result = "unknown"
)

// Event is one thing that has happened to a game. Fields that do not apply are empty.
type Event struct {
	Type   Type
	GameID string
	// Time is when it happened, by the clock of the node that has written it: that of the change if the record
	// has one, and otherwise the latest time of the record.
	Time time.Time
	// Region and Node are those of the game after the change.
	Region, Node string
	// Status is that of the game after the change.
	Status   runtime.Status
	From, To string
	// OperationID and OperationKind are those of an operation, or of the write of a status.
	OperationID, OperationKind string
	// Result is that of Finished. FailureCode and Failure describe Failed.
	Result               Result
	FailureCode, Failure string
	// Actor requested the operation or the write, for Reason. Derive does not know them.
	Actor, Reason string
}
