package drift

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Observation is what one node sees of one game.
type Observation struct {
	GameID       string
	Region, Node string // where this is seen from
	// Record is nil, and its revision 0, where there is none.
	Record         *runtime.RuntimeRecord
	RecordRevision int64
	Intent         operation.Intent
	IntentRevision int64
	// Containers are those of the game on this node.
	Containers []container.Container
	// Removed: the engine has told that the record's container was removed. That it only
	// does not list it can have other reasons.
	Removed bool
	// EngineError is why the engine could not tell of its containers; they are unknown then.
	EngineError error
	// Working: this daemon has an operation on the game in progress.
	OperationActive bool
	// Unhealthy says how the game has failed its health checks; empty if it has not.
	Unhealthy string
	Now       time.Time
}

// Detect returns what is wrong, the most urgent first; nothing where all agree, and
// while an operation is in progress: what it is about to change is not drift.
func Detect(o Observation) []Finding {
	switch current := o.Intent.Current; {
	case o.OperationActive:
		return nil
	case current != nil && current.Region == o.Region && current.Node == o.Node && current.Session == 0:
		return o.finding(KindInterrupted, ActionCompleteOperation, "",
			"operation %s (%s) was given to this node, and has not begun", current.ID, current.Kind)
	case current != nil && current.Region == o.Region && current.Node == o.Node:
		return o.finding(KindInterrupted, ActionCompleteOperation, "",
			"operation %s (%s) was left behind at %s by a daemon that is gone", current.ID, current.Kind, current.Step)
	case current != nil && o.isLocal() && o.Record.Status != runtime.StatusRemoved:
		return o.finding(KindInterrupted, ActionCompleteOperation, "",
			"operation %s (%s) was given to node %s/%s and stands at %s, while the game lives here", current.ID, current.Kind, current.Region, current.Node, current.Step)
	case current != nil:
		return nil // another node's game, and its operation
	case o.EngineError != nil:
		if o.isLocal() {
			return o.finding(KindUnknown, ActionNone, o.Record.CurrentContainerID, "%s", o.EngineError.Error())
		}
		return nil
	}
	own, others := o.split()
	var found []Finding
	if o.Record != nil {
		found = o.detectOwn(own)
	}
	if o.Record == nil {
		return append(found, o.detectOrphans(others)...)
	}
	return append(found, o.detectOthers(own, others)...)
}

// isLocal reports whether the record says that the game lives on this node.
func (o Observation) isLocal() bool {
	return o.Record != nil && o.Record.Region == o.Region && o.Record.Node == o.Node
}

// split parts the containers into the one that the record names, nil if there is
// none, and the others.
func (o Observation) split() (*container.Container, []container.Container) {
	var own *container.Container
	var others []container.Container
	for _, c := range o.Containers {
		if o.Record != nil && o.Record.CurrentContainerID == c.ID {
			own = &c
		} else {
			others = append(others, c)
		}
	}
	return own, others
}

// detectOwn judges the record by the container that it names.
func (o Observation) detectOwn(own *container.Container) []Finding {
	id := o.Record.CurrentContainerID
	switch {
	case o.Record.Status == runtime.StatusRemoved:
		return nil
	case own == nil && !o.isLocal():
		return nil // another node's game
	case own == nil && o.IntentRevision == 0:
		// Somebody has put a record of a container that no operation of ours made: what
		// he knows of it we do not.
		return o.finding(KindMissing, ActionNone, id, "the record is %s, the engine has no container %s, and no operation has ever made one for this game", o.Record.Status, id)
	case own == nil:
		gone := o.finding(KindMissing, ActionMarkRemoved, id, "the record is %s, and the engine has no container %s", o.Record.Status, id)
		gone[0].Proven = o.Removed
		return gone
	case own.State == container.StateUnknown:
		return o.finding(KindUnknown, ActionNone, id, "the engine cannot say what container %s does", id)
	case !o.isLocal():
		return o.finding(KindLocation, ActionCorrectRecord, id, "the record says that the game lives on %s/%s, and its container %s is here", o.Record.Region, o.Record.Node, id)
	case o.Record.Status == runtime.StatusRunning:
		return o.detectRunning(*own)
	default:
		return o.detectStopped(*own)
	}
}

func (o Observation) detectRunning(own container.Container) []Finding {
	switch {
	case own.State != container.StateRunning:
		return o.finding(KindExited, ActionMarkStopped, own.ID, "container %s %s", own.ID, exitText(own))
	case own.Labels.Image != o.Record.CurrentImageRef:
		return o.finding(KindImage, ActionCorrectRecord, own.ID, "the record says image %q, and container %s was made from %q", o.Record.CurrentImageRef, own.ID, own.Labels.Image)
	case own.Endpoint != "" && own.Endpoint != o.Record.EngineEndpoint:
		return o.finding(KindLocation, ActionCorrectRecord, own.ID, "the record says that the game is reached at %q, and it is at %q", o.Record.EngineEndpoint, own.Endpoint)
	case o.Unhealthy != "":
		action := ActionNone
		if o.mayRestart() {
			action = ActionRestart
		}
		return o.finding(KindUnhealthy, action, own.ID, "%s", o.Unhealthy)
	}
	return nil
}

func (o Observation) detectStopped(own container.Container) []Finding {
	policy := o.Intent.Spec.WithDefaults().Crash
	switch {
	case own.State == container.StateRunning:
		return o.finding(KindUnexpectedRun, ActionMarkRunning, own.ID, "container %s runs, although the record says that it is stopped", own.ID)
	case o.Intent.DesiredStatus != runtime.StatusRunning || policy.Attempts == 0:
		return nil // it is meant to be stopped, or to stay as it fell
	case o.mayRestart():
		return o.finding(KindCrashed, ActionRestart, own.ID, "container %s %s, and no operation stopped it", own.ID, exitText(own))
	default:
		return o.finding(KindCrashLoop, ActionNone, own.ID, "container %s %s; it was started again %d times within %s, which is all that its policy allows",
			own.ID, exitText(own), policy.Attempts, time.Duration(policy.Window))
	}
}

// mayRestart reports whether the crash policy allows another restart.
func (o Observation) mayRestart() bool {
	policy := o.Intent.Spec.WithDefaults().Crash
	return len(operation.RestartsWithin(o.Intent.Restarts, time.Duration(policy.Window), o.Now)) < policy.Attempts
}

// detectOrphans judges the containers of a game without a record: the newest that
// runs is the game, or else the newest that ran.
func (o Observation) detectOrphans(containers []container.Container) []Finding {
	candidates := slices.DeleteFunc(slices.Clone(containers), func(c container.Container) bool {
		return c.State == container.StateUnknown
	})
	slices.SortFunc(candidates, func(a, b container.Container) int {
		return cmp.Or(
			-cmp.Compare(livenessRank(a), livenessRank(b)),
			-cmp.Compare(a.Labels.Generation, b.Labels.Generation),
			cmp.Compare(a.ID, b.ID),
		)
	})
	if len(candidates) == 0 {
		return nil
	}
	best := candidates[0]
	if best.State == container.StateCreated {
		return o.finding(KindStale, ActionRemoveContainer, best.ID, "container %s was never started, and the game has no record", best.ID)
	}
	return o.finding(KindOrphan, ActionAdopt, best.ID, "container %s of generation %d is %s, and the game has no record", best.ID, best.Labels.Generation, best.State)
}

// detectOthers judges the containers that are not the record's.
func (o Observation) detectOthers(own *container.Container, others []container.Container) []Finding {
	var found []Finding
	for _, c := range others {
		kind := KindStale
		if own != nil && own.State == container.StateRunning && c.State == container.StateRunning {
			kind = KindDuplicate
		}
		says := "has been removed"
		if o.Record.Status != runtime.StatusRemoved {
			says = fmt.Sprintf("names container %s on %s/%s", o.Record.CurrentContainerID, o.Record.Region, o.Record.Node)
		}
		if c.State == container.StateUnknown {
			found = append(found, o.finding(KindUnknown, ActionNone, c.ID, "the engine cannot say what container %s does; the record %s", c.ID, says)...)
			continue
		}
		stale := o.finding(kind, ActionRemoveContainer, c.ID, "container %s of generation %d is %s, and the record %s", c.ID, c.Labels.Generation, c.State, says)
		stale[0].Proven = c.Labels.Generation < o.Record.Generation
		found = append(found, stale...)
	}
	return found
}

func (o Observation) finding(kind Kind, action Action, containerID, evidence string, args ...any) []Finding {
	return []Finding{{
		ID:   fmt.Sprintf("%s/%s/%s", kind, o.GameID, containerID),
		Kind: kind, GameID: o.GameID, Region: o.Region, Node: o.Node, Action: action, ContainerID: containerID,
		Evidence: fmt.Sprintf(evidence, args...), RecordRevision: o.RecordRevision, IntentRevision: o.IntentRevision,
	}}
}

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

// exitText says how a container that does not run came to that.
func exitText(c container.Container) string {
	switch {
	case c.State == container.StateCreated:
		return "was never started"
	case c.OOMKilled:
		return "was killed for want of memory"
	case c.ExitCode == nil:
		return "has exited, nobody knows with which code"
	case *c.ExitCode > 128:
		return fmt.Sprintf("was killed by signal %d", *c.ExitCode-128)
	default:
		return fmt.Sprintf("exited with code %d", *c.ExitCode)
	}
}
