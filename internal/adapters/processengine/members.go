package processengine

import (
	"context"
	"os"
	"syscall"
	"time"

	"galaxy/rtmanager/internal/adapters/processengine/internal/cgroups"
	"galaxy/rtmanager/internal/adapters/processengine/internal/gamelog"
	"galaxy/rtmanager/internal/adapters/processengine/internal/livepipe"
	"galaxy/rtmanager/internal/adapters/processengine/internal/procfs"
	"galaxy/rtmanager/internal/wait"
)

const (
	// leftoverDelay is how long other processes of a game may outlive its first process. They
	// then receive SIGTERM, and SIGKILL leftoverInterval later.
	leftoverDelay    = 200 * time.Millisecond
	leftoverInterval = 2 * time.Second
	// orphanInterval is the time between two searches for processes that have lost their shim.
	orphanInterval = 500 * time.Millisecond
)

// containerVariable is the environment variable that marks the processes of a container.
const containerVariable = "RTMANAGER_CONTAINER_ID"

// members returns the processes of the game, without its shim. While the shim lives, they are
// its descendants: it is a child subreaper. Otherwise they are the members of the control
// groups. Without these, members searches all processes of the machine.
func (c *processContainer) members(r *run) []int {
	parent := c.liveParent(r)
	pids := cgroups.Processes(r.config.Groups)
	if parent > 0 {
		pids = append(pids, procfs.Descendants(parent)...)
	}
	if len(r.config.Groups) == 0 && (parent == 0 || !c.hasShim()) {
		pids = append(pids, c.searchMembers(r, parent)...)
	}
	return procfs.Alive(pids)
}

// searchMembers searches all processes of the machine for those of the game.
func (c *processContainer) searchMembers(r *run, parent int) []int {
	found := procfs.Find(procfs.Match{Variable: containerVariable + "=" + c.id, Executable: c.file("image"), Pipe: r.pipeInfo})
	members := found[:0]
	for _, pid := range found {
		if pid != parent {
			members = append(members, pid)
		}
	}
	return members
}

// liveParent returns the pid of the shim, or 0 if it does not live. Only the shim, or the parent
// script of an earlier version, has the pipe open.
func (c *processContainer) liveParent(r *run) int {
	if r.cmd != nil && procfs.HasPipeOpen(r.cmd.Process.Pid, r.pipeInfo) {
		return r.cmd.Process.Pid
	}
	recorded, ok := procfs.ReadStat(c.file("process"))
	if ok && procfs.HasPipeOpen(recorded.Parent, r.pipeInfo) {
		return recorded.Parent
	}
	return 0
}

// hasShim reports whether the parent of the latest run is a shim. Earlier versions used a
// shell script.
func (c *processContainer) hasShim() bool { return fileExists(c.file("output")) }

// bootID identifies the boot of the machine; empty if unknown.
func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(id)
}

// isLauncher reports whether the first process of the game has exited with code 0 and without
// a stop. It may then have started the game as a daemon: the container runs while that lives.
func (c *processContainer) isLauncher() bool {
	last, err := c.readLastRun(0)
	return err == nil && c.hasShim() && last.exitCode != nil && *last.exitCode == 0
}

// endLeftovers ends the processes that have outlived the first process of the game: with SIGTERM at
// the first call, and with SIGKILL at further ones. During a stop it does nothing, since Stop
// does so.
func (c *processContainer) endLeftovers(r *run) {
	if recorded, ok := procfs.ReadStat(c.file("process")); ok && recorded.IsAlive() {
		return // the shim has not written the message
	}
	c.mu.Lock()
	isStopping := time.Now().Before(r.stopUntil)
	if !isStopping {
		r.endings++
	}
	attempt := r.endings
	c.mu.Unlock()
	switch {
	case isStopping:
	case attempt == 1:
		procfs.SignalAll(func() []int { return c.members(r) }, syscall.SIGTERM)
	default:
		c.killMembers(r)
	}
}

// killMembers kills all processes of the game, but not its shim, and returns their number.
func (c *processContainer) killMembers(r *run) int {
	cgroups.Kill(r.config.Groups)
	return procfs.SignalAll(func() []int { return c.members(r) }, syscall.SIGKILL)
}

// waitOrphans waits until no process of the game lives, after the shim has exited. There are
// some if the shim was killed. The engine then does its work: it copies the output of the game
// to the log, so that the game can continue to write. waitOrphans returns false if the engine is
// closed before.
func (e *Engine) waitOrphans(c *processContainer, r *run) (haveExited bool) {
	for searches := 0; len(c.members(r)) > 0; searches++ {
		if searches == 0 {
			e.log.Warn("the parent of a game was killed; its exit code will be unknown", "container", c.id)
			e.copyOutput(c)
		}
		recorded, isRecorded := procfs.ReadStat(c.file("process"))
		if (!isRecorded || !recorded.IsAlive()) && !c.isLauncher() && searches > 0 {
			c.endLeftovers(r)
		}
		if wait.For(e.lifetime.Context(), orphanInterval) != nil {
			return false
		}
	}
	return e.lifetime.Context().Err() == nil
}

// copyOutput copies the output of a game without a shim to the log, in the background until the
// game exits or the engine is closed.
func (e *Engine) copyOutput(c *processContainer) {
	output, err := livepipe.OpenReader(c.file("output"))
	if err != nil {
		return // an earlier version started the game, which writes to the file itself
	}
	e.monitors.Go(func() {
		defer context.AfterFunc(e.lifetime.Context(), func() { _ = output.Close() })()
		gamelog.CopyRest(output, c.file("log"), e.cfg.MaxLogBytes)
		_ = output.Close()
	})
}
