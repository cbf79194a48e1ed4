package processengine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"galaxy/rtmanager/internal/adapters/processengine/internal/livepipe"
	"galaxy/rtmanager/internal/adapters/processengine/internal/shim"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
)

// run is one run of a game: one or more processes, and the shim as their parent.
type run struct {
	pipe     *os.File    // the reading end
	cmd      *exec.Cmd   // the shim; nil if an earlier engine started it
	pipeInfo os.FileInfo // identifies the pipe, to find the shim
	config   runConfig
	started  chan struct{} // closed when the game has been executed
	stopping chan struct{} // closed when the shim has exited, so that the commands of operators end
	done     chan struct{} // closed when all processes have exited and the container has its new state
	commands sync.WaitGroup

	// All below are guarded by the container's mu.
	startedAt *time.Time // nil until started
	stopUntil time.Time  // until then a stop waits for the game to exit; zero without a stop
	endings   int        // the number of attempts of endLeftovers
}

func newRun(pipe *os.File, cmd *exec.Cmd, config runConfig) (*run, error) {
	info, err := pipe.Stat()
	if err != nil {
		return nil, err
	}
	return &run{pipe: pipe, cmd: cmd, pipeInfo: info, config: config, started: make(chan struct{}), stopping: make(chan struct{}), done: make(chan struct{})}, nil
}

// hasStarted reports whether the game has been executed.
func (r *run) hasStarted() bool {
	select {
	case <-r.started:
		return true
	default:
		return false
	}
}

// waitProcess waits until there is a process to signal, at most startTimeout.
func (r *run) waitProcess(ctx context.Context) error {
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case <-r.started:
	case <-r.done:
	case <-timer.C:
	case <-ctx.Done():
		return unavailable(ctx)
	}
	return nil
}

// waitStarted waits until the game has been executed.
func (r *run) waitStarted(ctx context.Context, c *processContainer) error {
	select {
	case <-r.started:
		return nil
	case <-r.done:
	case <-ctx.Done():
		return c.wrap("start", unavailable(ctx))
	}
	if r.hasStarted() {
		return nil // the game has started, and has exited since
	}
	lines, _ := c.log.Tail(3)
	return c.wrap("start", fmt.Errorf("%w: the shell exited before it executed the game: %q", operation.ErrStartFailed, lines))
}

// monitor reads the pipe until all processes of the run have exited or the engine detaches.
func (e *Engine) monitor(c *processContainer, r *run) {
	messages := make([]byte, livepipe.ReadBufferSize)
	for {
		n, err := r.pipe.Read(messages)
		e.handleMessages(c, r, messages[:n])
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.endLeftovers(r)
			_ = r.pipe.SetReadDeadline(time.Now().Add(leftoverInterval))
		case errors.Is(err, os.ErrClosed):
			return
		default: // the end of the file; a pipe returns no other error
			c.endCommands(r)
			if e.waitOrphans(c, r) {
				e.finish(c, r)
			}
			return
		}
	}
}

// handleMessages handles the messages that the shim wrote to the pipe.
func (e *Engine) handleMessages(c *processContainer, r *run, messages []byte) {
	for _, message := range messages {
		switch message {
		case shim.MessageStarted:
			e.recordStart(c, r)
		case shim.MessageExited:
			if !c.isLauncher() {
				_ = r.pipe.SetReadDeadline(time.Now().Add(leftoverDelay))
			}
		}
	}
}

// recordStart records that the game has been executed, and emits the event, once.
func (e *Engine) recordStart(c *processContainer, r *run) {
	if r.hasStarted() {
		return
	}
	c.mu.Lock()
	r.startedAt = modTime(c.file("process"))
	c.mu.Unlock()
	close(r.started)
	e.emit(container.EventStarted, c)
}

// finish records the end of a run whose processes have all exited.
func (e *Engine) finish(c *processContainer, r *run) {
	_ = r.pipe.Close()
	if r.cmd != nil {
		_ = r.cmd.Wait() // the file exit contains the result of the game
	}
	e.recordResult(c, r.config.Groups)
	e.waitPortsClosed(r.config)
	e.releasePorts(c)
	e.recordExit(c, r.config.Port)
	close(r.done)
}
