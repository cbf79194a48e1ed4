// Package drift tells where record, intent and engine disagree, and what to do
// about it. It only judges what it is shown: it reads nothing, writes nothing and
// knows no clock but the one in the observation.
package drift

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
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
	Containers []ports.Container
	// Removed: the engine has told that the record's container was removed. That it only
	// does not list it can have other reasons.
	Removed bool
	// Trouble is why the engine could not tell of its containers; they are unknown then.
	Trouble error
	// Working: this daemon has an operation on the game in progress.
	Working bool
	// Unhealthy says how the game has failed its health checks; empty if it has not.
	Unhealthy string
	Now       time.Time
}

// Judge returns what is wrong, the most urgent first; nothing where all agree, and
// while an operation is in progress: what it is about to change is not drift.
func Judge(o Observation) []ports.DriftFinding {
	switch current := o.Intent.Current; {
	case o.Working:
		return nil
	case current != nil && current.Region == o.Region && current.Node == o.Node && current.Session == 0:
		return o.found(ports.DriftInterrupted, ports.ActionCompleteOperation, "",
			"operation %s (%s) was given to this node, and has not begun", current.ID, current.Kind)
	case current != nil && current.Region == o.Region && current.Node == o.Node:
		return o.found(ports.DriftInterrupted, ports.ActionCompleteOperation, "",
			"operation %s (%s) was left behind at %s by a daemon that is gone", current.ID, current.Kind, current.Step)
	case current != nil && o.own() && o.Record.Status != runtime.StatusRemoved:
		return o.found(ports.DriftInterrupted, ports.ActionCompleteOperation, "",
			"operation %s (%s) was given to node %s/%s and stands at %s, while the game lives here", current.ID, current.Kind, current.Region, current.Node, current.Step)
	case current != nil:
		return nil // another node's game, and its operation
	case o.Trouble != nil:
		if o.own() {
			return o.found(ports.DriftUnknown, ports.ActionNone, o.Record.CurrentContainerID, "%s", o.Trouble.Error())
		}
		return nil
	}
	own, others := o.split()
	var found []ports.DriftFinding
	if o.Record != nil {
		found = o.judgeOwn(own)
	}
	if o.Record == nil {
		return append(found, o.judgeOrphans(others)...)
	}
	return append(found, o.judgeOthers(own, others)...)
}

// own reports whether the record says that the game lives on this node.
func (o Observation) own() bool {
	return o.Record != nil && o.Record.Region == o.Region && o.Record.Node == o.Node
}

// split parts the containers into the one that the record names, nil if there is
// none, and the others.
func (o Observation) split() (*ports.Container, []ports.Container) {
	var own *ports.Container
	var others []ports.Container
	for _, c := range o.Containers {
		if o.Record != nil && o.Record.CurrentContainerID == c.ID {
			own = &c
		} else {
			others = append(others, c)
		}
	}
	return own, others
}

// judgeOwn judges the record by the container that it names.
func (o Observation) judgeOwn(own *ports.Container) []ports.DriftFinding {
	id := o.Record.CurrentContainerID
	switch {
	case o.Record.Status == runtime.StatusRemoved:
		return nil
	case own == nil && !o.own():
		return nil // another node's game
	case own == nil && o.IntentRevision == 0:
		// Somebody has put a record of a container that no operation of ours made: what
		// he knows of it we do not.
		return o.found(ports.DriftMissing, ports.ActionNone, id, "the record is %s, the engine has no container %s, and no operation has ever made one for this game", o.Record.Status, id)
	case own == nil:
		gone := o.found(ports.DriftMissing, ports.ActionMarkRemoved, id, "the record is %s, and the engine has no container %s", o.Record.Status, id)
		gone[0].Proven = o.Removed
		return gone
	case own.State == ports.ContainerUnknown:
		return o.found(ports.DriftUnknown, ports.ActionNone, id, "the engine cannot say what container %s does", id)
	case !o.own():
		return o.found(ports.DriftLocation, ports.ActionCorrectRecord, id, "the record says that the game lives on %s/%s, and its container %s is here", o.Record.Region, o.Record.Node, id)
	case o.Record.Status == runtime.StatusRunning:
		return o.judgeRunning(*own)
	default:
		return o.judgeStopped(*own)
	}
}

func (o Observation) judgeRunning(own ports.Container) []ports.DriftFinding {
	switch {
	case own.State != ports.ContainerRunning:
		return o.found(ports.DriftExited, ports.ActionMarkStopped, own.ID, "container %s %s", own.ID, ending(own))
	case own.Labels.Image != o.Record.CurrentImageRef:
		return o.found(ports.DriftImage, ports.ActionCorrectRecord, own.ID, "the record says image %q, and container %s was made from %q", o.Record.CurrentImageRef, own.ID, own.Labels.Image)
	case own.Endpoint != "" && own.Endpoint != o.Record.EngineEndpoint:
		return o.found(ports.DriftLocation, ports.ActionCorrectRecord, own.ID, "the record says that the game is reached at %q, and it is at %q", o.Record.EngineEndpoint, own.Endpoint)
	case o.Unhealthy != "":
		action := ports.ActionNone
		if o.mayRestart() {
			action = ports.ActionRestart
		}
		return o.found(ports.DriftUnhealthy, action, own.ID, "%s", o.Unhealthy)
	}
	return nil
}

func (o Observation) judgeStopped(own ports.Container) []ports.DriftFinding {
	policy := o.Intent.Spec.WithDefaults().Crash
	switch {
	case own.State == ports.ContainerRunning:
		return o.found(ports.DriftUnexpectedRun, ports.ActionMarkRunning, own.ID, "container %s runs, although the record says that it is stopped", own.ID)
	case o.Intent.DesiredStatus != runtime.StatusRunning || policy.Attempts == 0:
		return nil // it is meant to be stopped, or to stay as it fell
	case o.mayRestart():
		return o.found(ports.DriftCrashed, ports.ActionRestart, own.ID, "container %s %s, and no operation stopped it", own.ID, ending(own))
	default:
		return o.found(ports.DriftCrashLoop, ports.ActionNone, own.ID, "container %s %s; it was started again %d times within %s, which is all that its policy allows",
			own.ID, ending(own), policy.Attempts, time.Duration(policy.Window))
	}
}

// mayRestart reports whether the crash policy allows another restart.
func (o Observation) mayRestart() bool {
	policy := o.Intent.Spec.WithDefaults().Crash
	return len(operation.RestartsWithin(o.Intent.Restarts, time.Duration(policy.Window), o.Now)) < policy.Attempts
}

// judgeOrphans judges the containers of a game without a record: the newest that
// runs is the game, or else the newest that ran.
func (o Observation) judgeOrphans(containers []ports.Container) []ports.DriftFinding {
	candidates := slices.DeleteFunc(slices.Clone(containers), func(c ports.Container) bool {
		return c.State == ports.ContainerUnknown
	})
	slices.SortFunc(candidates, func(a, b ports.Container) int {
		return cmp.Or(
			-cmp.Compare(liveness(a), liveness(b)),
			-cmp.Compare(a.Labels.Generation, b.Labels.Generation),
			cmp.Compare(a.ID, b.ID),
		)
	})
	if len(candidates) == 0 {
		return nil
	}
	best := candidates[0]
	if best.State == ports.ContainerCreated {
		return o.found(ports.DriftStale, ports.ActionRemoveContainer, best.ID, "container %s was never started, and the game has no record", best.ID)
	}
	return o.found(ports.DriftOrphan, ports.ActionAdopt, best.ID, "container %s of generation %d is %s, and the game has no record", best.ID, best.Labels.Generation, best.State)
}

// judgeOthers judges the containers that are not the record's.
func (o Observation) judgeOthers(own *ports.Container, others []ports.Container) []ports.DriftFinding {
	var found []ports.DriftFinding
	for _, c := range others {
		kind := ports.DriftStale
		if own != nil && own.State == ports.ContainerRunning && c.State == ports.ContainerRunning {
			kind = ports.DriftDuplicate
		}
		says := "has been removed"
		if o.Record.Status != runtime.StatusRemoved {
			says = fmt.Sprintf("names container %s on %s/%s", o.Record.CurrentContainerID, o.Record.Region, o.Record.Node)
		}
		if c.State == ports.ContainerUnknown {
			found = append(found, o.found(ports.DriftUnknown, ports.ActionNone, c.ID, "the engine cannot say what container %s does; the record %s", c.ID, says)...)
			continue
		}
		stale := o.found(kind, ports.ActionRemoveContainer, c.ID, "container %s of generation %d is %s, and the record %s", c.ID, c.Labels.Generation, c.State, says)
		stale[0].Proven = c.Labels.Generation < o.Record.Generation
		found = append(found, stale...)
	}
	return found
}

func (o Observation) found(kind ports.DriftKind, action ports.Action, containerID, evidence string, args ...any) []ports.DriftFinding {
	return []ports.DriftFinding{{
		ID:   fmt.Sprintf("%s/%s/%s", kind, o.GameID, containerID),
		Kind: kind, GameID: o.GameID, Region: o.Region, Node: o.Node, Action: action, ContainerID: containerID,
		Evidence: fmt.Sprintf(evidence, args...), RecordRevision: o.RecordRevision, IntentRevision: o.IntentRevision,
	}}
}

func liveness(c ports.Container) int {
	switch c.State {
	case ports.ContainerRunning:
		return 2
	case ports.ContainerExited:
		return 1
	default:
		return 0
	}
}

// ending says how a container that does not run came to that.
func ending(c ports.Container) string {
	switch {
	case c.State == ports.ContainerCreated:
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
