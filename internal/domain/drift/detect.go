package drift

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Observation is the state of one game as one node observes it.
type Observation struct {
	GameID       string
	Region, Node string // the observing node
	// Record is nil, and its revision 0, if the game has no record.
	Record         *runtime.RuntimeRecord
	RecordRevision int64
	Intent         operation.Intent
	IntentRevision int64
	// Containers are the containers of the game on this node.
	Containers []container.Container
	// RemovalReported reports that the engine sent an event for the removal of the record's
	// container. A container that is only absent from the list may be missing for other
	// reasons.
	RemovalReported bool
	// EngineError is why the state of the containers is unknown; nil if it is known.
	EngineError error
	// IsEngineAway reports that the engine has not responded for a while.
	IsEngineAway bool
	// OperationActive reports that this daemon is running an operation on the game.
	OperationActive bool
	// SetByClient reports that a client wrote the record's status, and no daemon did.
	SetByClient bool
	// RestoreDisabled reports that games which ended with their engine are not started.
	RestoreDisabled bool
	// Unhealthy describes how the game fails its health checks; empty if it does not.
	Unhealthy string
	// Health is the result of the health checks of the run that the record describes; empty if
	// there is none yet.
	Health runtime.Health
	Now    time.Time
}

// Detect returns the disagreements about the game, the most urgent first. It returns
// only an overdue operation while one is in progress on the game: the changes of that
// operation are not drift.
func Detect(o Observation) []Finding {
	current := o.Intent.Current
	switch {
	case o.OperationActive:
		return o.detectOverdue()
	case current != nil:
		return o.detectInterrupted(*current)
	case o.EngineError != nil && o.isLocal():
		return o.newFinding(KindUnknown, ActionNone, o.Record.CurrentContainerID, "%s", o.EngineError.Error())
	case o.EngineError != nil:
		return nil
	}
	recorded, others := o.splitContainers()
	if o.Record == nil {
		return o.detectOrphans(others)
	}
	return append(o.detectRecorded(recorded), o.detectOthers(recorded, others)...)
}

// isLocal reports whether the record names this node.
func (o Observation) isLocal() bool {
	return o.Record != nil && node.RefOf(*o.Record) == o.self()
}

func (o Observation) self() node.Ref { return node.Ref{Region: o.Region, Name: o.Node} }

// splitContainers separates the container that the record names, nil if there is none,
// from the others.
func (o Observation) splitContainers() (recorded *container.Container, others []container.Container) {
	for _, c := range o.Containers {
		if o.Record != nil && o.Record.CurrentContainerID == c.ID {
			recorded = &c
		} else {
			others = append(others, c)
		}
	}
	return recorded, others
}

// detectOverdue checks the deadline of the operation that this daemon is running. Past it,
// the operation is rolled back; what hangs then is the engine or the store.
func (o Observation) detectOverdue() []Finding {
	op := o.Intent.Current
	if op == nil || op.NodeRef() != o.self() || op.Deadline.IsZero() || !o.Now.After(op.Deadline) {
		return nil
	}
	requested := ""
	if op.Actor != "" {
		requested = ", requested by " + op.Actor
	}
	return o.newFinding(KindOperationOverdue, ActionNone, op.ContainerID,
		"operation %s (%s%s) started at %s and is at step %s since %s; its deadline was %s; stop the game with a grace of 0 to end it, or restart the daemon of node %s",
		op.ID, op.Kind, requested, op.StartedAt.UTC().Format(time.RFC3339), op.Step, op.StepAt.UTC().Format(time.RFC3339),
		op.Deadline.UTC().Format(time.RFC3339), o.self())
}

// detectInterrupted handles an operation that this daemon is not running.
func (o Observation) detectInterrupted(op operation.Operation) []Finding {
	holder := op.NodeRef()
	switch {
	case holder == o.self() && op.Session == 0:
		return o.newFinding(KindInterrupted, ActionCompleteOperation, "",
			"operation %s (%s) was assigned to this node and has not started", op.ID, op.Kind)
	case holder == o.self():
		return o.newFinding(KindInterrupted, ActionCompleteOperation, "",
			"operation %s (%s) was interrupted at step %s: its daemon stopped", op.ID, op.Kind, op.Step)
	case o.isLocal() && o.Record.Status != runtime.StatusRemoved:
		return o.newFinding(KindInterrupted, ActionCompleteOperation, "",
			"operation %s (%s) was assigned to node %s and is at step %s, but the record names this node", op.ID, op.Kind, holder, op.Step)
	default:
		return nil // another node's game and operation
	}
}

// detectRecorded checks the record against its container, nil if the engine has none.
func (o Observation) detectRecorded(recorded *container.Container) []Finding {
	switch id := o.Record.CurrentContainerID; {
	case o.Record.Status == runtime.StatusRemoved:
		return o.detectNotRunning(nil)
	case recorded == nil && !o.isLocal():
		return nil // another node's game
	case recorded == nil && o.IntentRevision == 0:
		// A client wrote a record of a container that no operation created. The container
		// may exist outside this engine.
		return o.newFinding(KindMissing, ActionNone, id, "the record is %s, but the engine has no container %s, and no operation ever created one for this game", o.Record.Status, id)
	case recorded == nil:
		missing := o.newFinding(KindMissing, ActionMarkRemoved, id, "the record is %s, but the engine has no container %s", o.Record.Status, id)
		missing[0].Proven = o.RemovalReported
		return missing
	case recorded.State == container.StateUnknown:
		return o.newFinding(KindUnknown, ActionNone, id, "the engine cannot determine the state of container %s", id)
	case !o.isLocal():
		return o.newFinding(KindLocation, ActionCorrectRecord, id, "the record names node %s, but its container %s is on this node", node.RefOf(*o.Record), id)
	case o.Record.Status == runtime.StatusRunning:
		return o.detectRunning(*recorded)
	default:
		return o.detectStopped(*recorded)
	}
}

// detectRunning checks a running record against its container.
func (o Observation) detectRunning(recorded container.Container) []Finding {
	switch {
	case recorded.State != container.StateRunning:
		return o.newFinding(KindExited, ActionMarkStopped, recorded.ID, "container %s %s", recorded.ID, recorded.DescribeExit())
	case recorded.Labels.Image != o.Record.CurrentImageRef:
		return o.newFinding(KindImage, ActionCorrectRecord, recorded.ID, "the record names image %q, but container %s was created from %q", o.Record.CurrentImageRef, recorded.ID, recorded.Labels.Image)
	case recorded.Endpoint != "" && recorded.Endpoint != o.Record.EngineEndpoint:
		return o.newFinding(KindLocation, ActionCorrectRecord, recorded.ID, "the record names endpoint %q, but the container has %q", o.Record.EngineEndpoint, recorded.Endpoint)
	case !slices.Equal(recorded.Ports, o.Record.Ports):
		return o.newFinding(KindLocation, ActionCorrectRecord, recorded.ID, "the record names the ports %v, but the container has %v", o.Record.Ports, recorded.Ports)
	case recorded.Paused && !o.Intent.Spec.WithDefaults().HasHealthCheck():
		return o.newFinding(KindPaused, ActionNone, recorded.ID, "container %s is paused; unpause it with the tools of the engine, or restart the game", recorded.ID)
	case o.Unhealthy != "":
		action := ActionNone
		if o.canRestart() {
			action = ActionRestart
		}
		return o.newFinding(KindUnhealthy, action, recorded.ID, "%s", o.Unhealthy)
	}
	return nil
}

// detectStopped checks a stopped record against its container.
func (o Observation) detectStopped(recorded container.Container) []Finding {
	if recorded.State == container.StateRunning {
		return o.newFinding(KindUnexpectedRun, ActionMarkRunning, recorded.ID, "the record is stopped, but container %s is running", recorded.ID)
	}
	return o.detectNotRunning(&recorded)
}

// detectOrphans checks the containers of a game without a record. The newest running
// container is adopted; without a running one, the newest that was started once.
func (o Observation) detectOrphans(containers []container.Container) []Finding {
	candidates := slices.DeleteFunc(slices.Clone(containers), func(c container.Container) bool {
		return c.State == container.StateUnknown
	})
	if len(candidates) == 0 {
		return nil
	}
	best := slices.MinFunc(candidates, func(a, b container.Container) int {
		return cmp.Or(
			-cmp.Compare(livenessRank(a), livenessRank(b)),
			-cmp.Compare(a.Labels.Generation, b.Labels.Generation),
			cmp.Compare(a.ID, b.ID),
		)
	})
	if best.State == container.StateCreated {
		return o.newFinding(KindStale, ActionRemoveContainer, best.ID, "container %s was never started, and the game has no record", best.ID)
	}
	return o.newFinding(KindOrphan, ActionAdopt, best.ID, "container %s (generation %d) is %s, but the game has no record", best.ID, best.Labels.Generation, best.State)
}

// detectOthers checks the containers that the record does not name.
func (o Observation) detectOthers(recorded *container.Container, others []container.Container) []Finding {
	recordState := "is removed"
	if o.Record.Status != runtime.StatusRemoved {
		recordState = fmt.Sprintf("names container %s on %s", o.Record.CurrentContainerID, node.RefOf(*o.Record))
	}
	var findings []Finding
	for _, c := range others {
		kind := KindStale
		if recorded != nil && recorded.State == container.StateRunning && c.State == container.StateRunning {
			kind = KindDuplicate
		}
		if c.State == container.StateUnknown {
			findings = append(findings, o.newFinding(KindUnknown, ActionNone, c.ID, "the engine cannot determine the state of container %s; the record %s", c.ID, recordState)...)
			continue
		}
		stale := o.newFinding(kind, ActionRemoveContainer, c.ID, "container %s (generation %d) is %s, but the record %s", c.ID, c.Labels.Generation, c.State, recordState)
		stale[0].Proven = c.Labels.Generation < o.Record.Generation
		findings = append(findings, stale...)
	}
	return findings
}

func (o Observation) newFinding(kind Kind, action Action, containerID, format string, args ...any) []Finding {
	var changedAt time.Time
	if o.Record != nil {
		changedAt = o.Record.LastOpAt
	}
	return []Finding{{
		ID:   fmt.Sprintf("%s/%s/%s", kind, o.GameID, containerID),
		Kind: kind, GameID: o.GameID, Region: o.Region, Node: o.Node, Action: action, ContainerID: containerID,
		Evidence: fmt.Sprintf(format, args...), RecordRevision: o.RecordRevision, IntentRevision: o.IntentRevision, RecordChangedAt: changedAt,
	}}
}

// livenessRank orders containers: running, exited, never started.
func livenessRank(c container.Container) int {
	switch c.State {
	case container.StateRunning:
		return 2
	case container.StateExited:
		return 1
	default:
		return 0
	}
}
