package drift

import (
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// OperationIDPrefix begins the operation IDs of record writes that remedy a finding. It
// distinguishes them in the ledger from the writes of clients.
const OperationIDPrefix = "drift_"

// MaxRestores is how often a game is started after one restart of its engine before its
// crash policy applies.
const MaxRestores = 3

// restoreBackoff is by how much each failed start delays the next one.
const restoreBackoff = 5 * time.Second

// detectNotRunning checks a game whose record is stopped or removed. stopped is the exited
// container of the record, nil if the record is removed.
func (o Observation) detectNotRunning(stopped *container.Container) []Finding {
	if o.Intent.DesiredStatus != runtime.StatusRunning || o.SetByClient || !o.isLocal() {
		return nil
	}
	containerID, text := o.describeNotRunning(stopped)
	policy := o.Intent.Spec.WithDefaults().Crash
	switch {
	case policy.Condition == operation.CrashOnFailure && stopped != nil && stopped.ExitCode != nil && *stopped.ExitCode == 0:
		return nil // the game has ended
	case o.canRestore(stopped):
		return o.newFinding(KindNotRunning, ActionRestart, containerID, "%s when its engine or machine stopped; start %d of at most %d is due",
			text, o.failedRestores(*stopped.EngineRestartedAt)+1, MaxRestores)
	case policy.Attempts == 0:
		return o.newFinding(KindNotRunning, ActionNone, containerID, "%s, which no operation requested, and it has no crash policy; %s", text, o.advice())
	case o.canRestart():
		return o.newFinding(KindCrashed, ActionRestart, containerID, "%s, which no operation requested", text)
	default:
		return o.newFinding(KindCrashLoop, ActionNone, containerID, "%s, and the game has been restarted %d times within %s, the limit of its crash policy; repair it, then %s",
			text, policy.Attempts, time.Duration(policy.Window), o.advice())
	}
}

// describeNotRunning describes since when the game does not run, and why.
func (o Observation) describeNotRunning(stopped *container.Container) (containerID, text string) {
	since := o.Record.StoppedAt
	cause := "its container was removed"
	if stopped != nil {
		containerID, cause = stopped.ID, fmt.Sprintf("container %s %s", stopped.ID, stopped.DescribeExit())
	} else {
		since = o.Record.RemovedAt
	}
	text = "desired status is running, but the game is " + string(o.Record.Status)
	if since != nil {
		text += " since " + since.UTC().Format(time.RFC3339)
	}
	return containerID, text + ": " + cause
}

// advice returns what an operator can do to end the finding.
func (o Observation) advice() string {
	if o.Record.Status == runtime.StatusRemoved {
		return "start the game, or clean it up to keep it removed"
	}
	return "start the game, or stop it to keep it stopped"
}

// canRestore reports whether the game is to be started because it ended with its engine.
func (o Observation) canRestore(stopped *container.Container) bool {
	return stopped != nil && !o.RestoreDisabled && stopped.EndedWithEngine(o.Record.StoppedAt) &&
		o.failedRestores(*stopped.EngineRestartedAt) < MaxRestores
}

// failedRestores returns the number of automatic operations that failed since the time.
func (o Observation) failedRestores(since time.Time) int {
	failed := 0
	for _, outcome := range o.Intent.Recent {
		if outcome.Automatic && outcome.Failure != nil && !outcome.StartedAt.Before(since) {
			failed++
		}
	}
	return failed
}

// RestoreDelay returns how long the start of a game waits that ended with its engine. It
// grows with each start that failed.
func (o Observation) RestoreDelay() time.Duration {
	recorded, _ := o.splitContainers()
	if recorded == nil || recorded.EngineRestartedAt == nil {
		return 0
	}
	return time.Duration(o.failedRestores(*recorded.EngineRestartedAt)) * restoreBackoff
}

// canRestart reports whether the crash policy allows another restart.
func (o Observation) canRestart() bool {
	return o.Intent.CanRestart(o.Now)
}
