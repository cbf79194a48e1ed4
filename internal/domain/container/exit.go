package container

import (
	"fmt"
	"slices"
	"time"
)

const signalExit = 128 // a process that signal N killed has the exit code 128 + N

// restartDuration is how long an engine that restarts may take to end the containers that
// survived it.
const restartDuration = time.Minute

// EndedWithEngine reports whether the container ended because its engine or machine did.
// recordedAt is when the exit was recorded, nil if unknown. An exit that was recorded before
// the restart, and whose code is that of a crash, is the container's own.
func (c Container) EndedWithEngine(recordedAt *time.Time) bool {
	switch {
	case c.State != StateExited || c.EngineRestartedAt == nil || c.OOMKilled:
		return false
	case c.ExitedAt != nil && c.ExitedAt.After(c.EngineRestartedAt.Add(restartDuration)):
		return false
	case recordedAt != nil && !recordedAt.Before(*c.EngineRestartedAt):
		return true
	}
	return c.ExitCode == nil || slices.Contains(shutdownExits(), *c.ExitCode)
}

// shutdownExits returns the exit codes of containers that a shutdown ended: 0 or a signal
// that requests a process to exit, SIGKILL, 128, which Docker reports if it cannot start a
// container while it shuts down, and 255, which it reports after a power loss.
func shutdownExits() []int {
	return []int{0, signalExit, signalExit + 1, signalExit + 2, signalExit + 9, signalExit + 15, 255}
}

// DescribeExit describes why the container is not running, such as "exited with code 1".
func (c Container) DescribeExit() string {
	switch {
	case c.State == StateCreated:
		return "was never started"
	case c.OOMKilled:
		return "was OOM killed"
	case c.ChildOOMKilled:
		return describeCode(c.ExitCode) + "; the kernel had killed another of its processes for lack of memory"
	default:
		return describeCode(c.ExitCode)
	}
}

func describeCode(code *int) string {
	switch {
	case code == nil:
		return "exited with an unknown code"
	case *code > signalExit && *code < 255:
		return fmt.Sprintf("was killed by signal %d", *code-signalExit)
	default:
		return fmt.Sprintf("exited with code %d", *code)
	}
}
