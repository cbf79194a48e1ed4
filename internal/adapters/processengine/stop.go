package processengine

import (
	"context"
	"syscall"
	"time"

	"galaxy/rtmanager/internal/adapters/processengine/internal/procfs"
)

const (
	// startTimeout is how long a stop waits for a start until there is a process to signal.
	startTimeout = time.Second
	// killInterval is the time between two attempts to kill all processes of a game.
	killInterval = time.Second
	// keepParentAttempts is the number of those attempts that do not kill the parent script,
	// so that it can record the exit code.
	keepParentAttempts = 4
)

// Stop implements ports.Engine. It sends SIGTERM to the first process of the game, as Docker
// does, and not to the process group.
func (e *Engine) Stop(ctx context.Context, containerID string, grace time.Duration) error {
	ctx, end, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	c, err := e.find(containerID)
	if err != nil {
		return err
	}
	if _, err := e.inspect(c); err != nil {
		return err
	}
	r, err := c.currentRun()
	if err != nil {
		return c.wrap("stop", err)
	}
	if r == nil {
		return nil
	}
	if grace > 0 {
		exited, err := c.terminate(ctx, r, grace)
		if err != nil {
			return c.wrap("stop", err)
		}
		if exited {
			return nil
		}
	}
	if err := c.kill(ctx, r); err != nil {
		return c.wrap("stop", err)
	}
	return nil
}

// terminate sends SIGTERM to the game, and reports whether it exits within the grace. It
// returns false at once if there is no process to signal.
func (c *processContainer) terminate(ctx context.Context, r *run, grace time.Duration) (hasExited bool, err error) {
	if err := r.waitProcess(ctx); err != nil {
		return false, err
	}
	if !procfs.SignalRecorded(c.file("process"), r.pipeInfo, syscall.SIGTERM) {
		return false, nil
	}
	return waitDone(ctx, r.done, grace)
}

// kill kills the processes of the run, and retries until all have exited.
func (c *processContainer) kill(ctx context.Context, r *run) error {
	if err := r.waitProcess(ctx); err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		recorded, _ := procfs.ReadStat(c.file("process"))
		switch {
		case attempt > keepParentAttempts:
			procfs.KillPipeHolders(r.pipeInfo, 0)
		case attempt > 0 || !procfs.SignalRecorded(c.file("process"), r.pipeInfo, syscall.SIGKILL):
			procfs.KillPipeHolders(r.pipeInfo, recorded.Parent)
		}
		if exited, err := waitDone(ctx, r.done, killInterval); exited || err != nil {
			return err
		}
	}
}
