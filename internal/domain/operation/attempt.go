package operation

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Attempt is a node on which a start failed for a reason of the node, before the start continued on
// another one.
type Attempt struct {
	Region  string  `json:"region"`
	Node    string  `json:"node"`
	Failure Failure `json:"failure"`
}

// NodeRef names the node of the attempt.
func (a Attempt) NodeRef() node.Ref { return node.Ref{Region: a.Region, Name: a.Node} }

// maxAttemptMessage is the number of bytes of a message that an Attempt keeps. An intent keeps the
// attempts of its recent outcomes.
const maxAttemptMessage = 512

// NewAttempt returns the attempt of a node that failed. A long message is truncated.
func NewAttempt(ref node.Ref, failure Failure) Attempt {
	if len(failure.Message) > maxAttemptMessage {
		end := maxAttemptMessage
		for !utf8.RuneStart(failure.Message[end]) {
			end--
		}
		failure.Message = failure.Message[:end] + "…"
	}
	return Attempt{Region: ref.Region, Node: ref.Name, Failure: failure}
}

// maxNamedAttempts bounds the nodes that a failure names.
const maxNamedAttempts = 8

// DescribeAttempts returns the message of a start that failed on all of the nodes: the failure of each
// node, the first one first.
func DescribeAttempts(attempts []Attempt) string {
	var parts []string
	for i, a := range attempts {
		if i == maxNamedAttempts {
			parts = append(parts, fmt.Sprintf("and %d more nodes", len(attempts)-i))
			break
		}
		parts = append(parts, a.NodeRef().String()+": "+a.Failure.Message)
	}
	return strings.Join(parts, "; ")
}

// CanChangeNode reports whether the operation may continue on another node after a failure of its
// node: a start without a requested node, of a game that has no container, unless a stop follows it.
func (o Operation) CanChangeNode() bool {
	hasNoContainer := o.PreviousRecord == nil || o.PreviousRecord.Status == runtime.StatusRemoved
	return o.Kind == KindStart && o.AnyNode && hasNoContainer && o.PreemptedBy == nil
}

// MustChangeNode reports whether the operation continues on another node once this one has rolled it
// back.
func (o Operation) MustChangeNode() bool {
	return o.CanChangeNode() && o.Failure != nil && o.Failure.NodeFault
}

// MayHaveStarted reports whether the node may have started the container of the operation. The step
// starting is stored with the id of the container, before the engine is called.
func (o Operation) MayHaveStarted() bool { return o.ContainerID != "" }

// NextAttempt returns the operation as another node continues it: from its first step, with a new
// container. The failure is that of the current node, and record is the record of the game that it has
// left, nil for none. remaining is the time until the deadline, 0 if it is not known.
func (o Operation) NextAttempt(assignment Assignment, failure Failure, record *runtime.RuntimeRecord, remaining time.Duration, at time.Time) Operation {
	next := o.Clone()
	next.Attempts = append(next.Attempts, NewAttempt(o.NodeRef(), failure))
	next.Region, next.Node, next.Session = assignment.To.Region, assignment.To.Name, 0
	next.Reserved = assignment.IsReserved
	next.Step, next.StepAt, next.Failure, next.ContainerID = StepAccepted, at, nil, ""
	next.RemainingMS = remaining.Milliseconds()
	next.PreviousRecord = cloneRecord(record)
	next.Generation++ // a container of the former node may remain there for a while
	if record != nil {
		next.Generation = max(next.Generation, record.Generation+1)
	}
	return next
}
