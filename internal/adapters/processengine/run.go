package processengine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
)

// stragglers is how long the processes that a game leaves may take to die with
// it. Those that have left its group have to be looked for.
const stragglers = 200 * time.Millisecond

// run is a game that runs: one or more processes that hold the pipe.
type run struct {
	pipe  *os.File    // the end for reading
	child *exec.Cmd   // nil where an earlier engine started it
	held  os.FileInfo // the pipe, by which its holders are known
	port  int
	begun chan struct{} // closed once the game is executed
	done  chan struct{} // closed once nothing lives and the container says so

	startedAt *time.Time // guarded by the container's mu; nil until begun
}

func newRun(pipe *os.File, child *exec.Cmd, port int) (*run, error) {
	held, err := pipe.Stat()
	if err != nil {
		return nil, err
	}
	return &run{pipe: pipe, child: child, held: held, port: port, begun: make(chan struct{}), done: make(chan struct{})}, nil
}

// hasBegun reports whether the game has been executed.
func (r *run) hasBegun() bool {
	select {
	case <-r.begun:
		return true
	default:
		return false
	}
}

// awaitProcess waits, for a while, until there is a process that can be asked.
func (r *run) awaitProcess(ctx context.Context) error {
	timer := time.NewTimer(beginPatience)
	defer timer.Stop()
	select {
	case <-r.begun:
	case <-r.done:
	case <-timer.C:
	case <-ctx.Done():
		return unavailable(ctx)
	}
	return nil
}

// awaitBegin waits until the game has been executed.
func (r *run) awaitBegin(ctx context.Context, c *processContainer) error {
	select {
	case <-r.begun:
		return nil
	case <-r.done:
	case <-ctx.Done():
		return c.wrap("start", unavailable(ctx))
	}
	if r.hasBegun() {
		return nil // and was quick to end
	}
	lines, _ := c.tail(3)
	return c.wrap("start", fmt.Errorf("%w: its shell has ended before the game began: %q", operation.ErrStartFailed, lines))
}

// watch follows the run until nothing of it lives, or the engine looks away.
func (e *Engine) watch(c *processContainer, r *run) {
	words := make([]byte, 64)
	for {
		n, err := r.pipe.Read(words)
		e.hear(c, r, words[:n])
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			r.killStragglers(c)
		case errors.Is(err, os.ErrClosed):
			return
		default: // the end of the file; a pipe has no other errors
			e.end(c, r)
			return
		}
	}
}

// hear acts on the words that came through the pipe.
func (e *Engine) hear(c *processContainer, r *run, words []byte) {
	for _, word := range words {
		switch word {
		case wordBegun:
			e.noteBegin(c, r)
		case wordExited:
			_ = r.pipe.SetReadDeadline(time.Now().Add(stragglers))
		}
	}
}

// killStragglers kills what has outlived the game, until nothing does.
func (r *run) killStragglers(c *processContainer) {
	if !exists(c.file("exit")) { // then the word was not the parent's
		_ = r.pipe.SetReadDeadline(time.Time{})
		return
	}
	killHolders(r.held, 0)
	_ = r.pipe.SetReadDeadline(time.Now().Add(stragglers))
}

func (e *Engine) noteBegin(c *processContainer, r *run) {
	if r.hasBegun() {
		return
	}
	c.mu.Lock()
	r.startedAt = modified(c.file("process"))
	c.mu.Unlock()
	close(r.begun)
	e.tell(container.EventStarted, c)
}

// end makes the run a thing of the past.
func (e *Engine) end(c *processContainer, r *run) {
	_ = r.pipe.Close()
	if r.child != nil {
		_ = r.child.Wait() // it is dead; how, the file exit says
	}
	if !exists(c.file("exit")) {
		killProgram(c.file("image")) // the parent, which kills all that is left, was killed itself
	}
	e.awaitPort(r.port)
	e.freePort(r.port, c)
	e.conclude(c, r.port)
	close(r.done)
}
