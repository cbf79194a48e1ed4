package processengine

import (
	"context"
	"syscall"
	"time"
)

const (
	// beginPatience is how long a stop waits for a start to come so far that there
	// is a process to ask.
	beginPatience = time.Second
	// killEvery is how often a kill is repeated, looking for more to kill, and
	// sparing is how many of those spare the game's parent, so that it can write
	// down how the game ended.
	killEvery = time.Second
	sparing   = 4
)

// Stop asks the game's first process, as Docker does, and not all of its group.
func (e *Engine) Stop(ctx context.Context, containerID string, grace time.Duration) error {
	ctx, done, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	c, err := e.find(containerID)
	if err != nil {
		return err
	}
	if _, err := e.look(c); err != nil {
		return err
	}
	r, err := c.current()
	if err != nil {
		return c.wrap("stop", err)
	}
	if r == nil {
		return nil
	}
	if grace > 0 {
		exited, err := c.ask(ctx, r, grace)
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

// ask asks the game to exit and reports whether it did within the grace. There is
// nobody to wait for where there is nobody to ask.
func (c *processContainer) ask(ctx context.Context, r *run, grace time.Duration) (exited bool, err error) {
	if err := r.awaitProcess(ctx); err != nil {
		return false, err
	}
	if !r.signal(c.file("process"), syscall.SIGTERM) {
		return false, nil
	}
	return wait(ctx, r.done, grace)
}

// kill ends the run with all its processes.
func (c *processContainer) kill(ctx context.Context, r *run) error {
	if err := r.awaitProcess(ctx); err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		recorded, _ := readStat(c.file("process"))
		switch {
		case attempt > sparing:
			killHolders(r.held, 0)
		case attempt > 0 || !r.signal(c.file("process"), syscall.SIGKILL):
			killHolders(r.held, recorded.parent)
		}
		if dead, err := wait(ctx, r.done, killEvery); dead || err != nil {
			return err
		}
	}
}
