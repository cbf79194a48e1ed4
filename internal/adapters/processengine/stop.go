package processengine

import (
	"context"
	"time"

	"galaxy/rtmanager/internal/adapters/processengine/internal/procfs"
)

const (
	// startTimeout is how long a stop waits for a start until there is a process to signal.
	startTimeout = time.Second
	// killInterval is the time between two attempts to kill all processes of a game.
	killInterval = time.Second
	// keepParentAttempts is the number of those attempts that do not kill the shim, so that it
	// can record the exit code.
	keepParentAttempts = 4
)

// stopResult is the content of stop.json: the latest stop of the run.
type stopResult struct {
	// Until is when the grace ends.
	Until time.Time `json:"until"`
	Grace string    `json:"grace"`
	// HasKilled is set before the stop kills processes.
	HasKilled bool `json:"has_killed"`
}

// Stop implements ports.Engine. It sends the stop signal to all processes of the game, and waits for all
// of them: a start script and the server that it has started both have the whole grace.
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
	if grace == 0 {
		c.recordStop(stopResult{Until: time.Now(), Grace: "0s", HasKilled: true})
	}
	if err := c.kill(ctx, r); err != nil {
		return c.wrap("stop", err)
	}
	return nil
}

// terminate sends the stop signal to the processes of the game, and reports whether they exit within the
// grace. It returns false at once if there is no process to signal.
func (c *processContainer) terminate(ctx context.Context, r *run, grace time.Duration) (hasExited bool, err error) {
	if err := r.waitProcess(ctx); err != nil {
		return false, err
	}
	result := stopResult{Until: time.Now().Add(grace), Grace: grace.String()}
	c.setStopUntil(r, result.Until)
	defer c.setStopUntil(r, time.Time{})
	c.recordStop(result)
	if procfs.SignalAll(func() []int { return c.members(r) }, c.spec.stopSignal()) == 0 {
		return waitDone(ctx, r.done, 0)
	}
	exited, err := waitDone(ctx, r.done, grace)
	if err == nil && !exited {
		result.HasKilled = true
		c.recordStop(result)
	}
	return exited, err
}

// setStopUntil sets the time until which a stop waits for the processes of the run.
func (c *processContainer) setStopUntil(r *run, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.stopUntil = until
}

// recordStop writes stop.json. If it fails, for example on a full disk, the exit has less
// information.
func (c *processContainer) recordStop(result stopResult) {
	_ = writeJSON(c.file("stop.json"), result)
}

// kill kills the processes of the run, and retries until all have exited. The first attempts do
// not kill the shim.
func (c *processContainer) kill(ctx context.Context, r *run) error {
	if err := r.waitProcess(ctx); err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		killed := c.killMembers(r)
		if attempt > keepParentAttempts || killed == 0 && attempt > 1 {
			procfs.KillPipeHolders(r.pipeInfo, 0)
		}
		if exited, err := waitDone(ctx, r.done, killInterval); exited || err != nil {
			return err
		}
	}
}
