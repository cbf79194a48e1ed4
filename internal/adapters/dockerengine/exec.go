package dockerengine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

var _ ports.CommandRunner = (*Engine)(nil)

const (
	// execExitTimeout is how long the engine may take to know the exit code of a command whose output has ended.
	execExitTimeout = 10 * time.Second
	// execPollInterval is the time between two questions for it.
	execPollInterval = 20 * time.Millisecond
	// resizeAttempts is how often a terminal is resized: the engine creates it shortly after the command.
	resizeAttempts = 10
)

// Exec implements ports.CommandRunner. The engine has no call that ends a command. When ctx ends, the input of the
// command ends, and its process is killed if this daemon may see and signal the processes of the engine, as root on
// the same machine. Otherwise it runs until it reads the end of its input, or until the container exits.
func (e *Engine) Exec(ctx context.Context, containerID string, command container.Command) (exitCode int, err error) {
	if exitCode, err = e.exec(ctx, containerID, command); err != nil {
		return 0, fmt.Errorf("exec in container %s: %w", containerID, err)
	}
	return exitCode, nil
}

func (e *Engine) exec(ctx context.Context, id string, command container.Command) (int, error) {
	found, err := e.inspectOwned(ctx, id)
	switch {
	case err != nil:
		return 0, err
	case found.State != container.StateRunning:
		return 0, container.ErrNotRunning
	}
	created, err := callWithTimeout(ctx, e.cfg.CallTimeout, "create the command", func(ctx context.Context) (client.ExecCreateResult, error) {
		return e.api.ExecCreate(ctx, id, client.ExecCreateOptions{
			Cmd: command.Args, TTY: command.HasTerminal, AttachStdin: command.Stdin != nil, AttachStdout: true, AttachStderr: true,
		})
	})
	switch {
	case errdefs.IsNotFound(err):
		return 0, e.confirmMissing(ctx, id)
	case errdefs.IsConflict(err):
		return 0, fmt.Errorf("%w: %s", container.ErrNotRunning, engineMessage(err))
	case err != nil:
		return 0, unavailable(err)
	}
	attached, err := callWithTimeout(ctx, e.cfg.CallTimeout, "start the command", func(ctx context.Context) (client.ExecAttachResult, error) {
		return e.api.ExecAttach(ctx, created.ID, client.ExecAttachOptions{TTY: command.HasTerminal})
	})
	switch {
	case errdefs.IsConflict(err):
		return 0, fmt.Errorf("%w: %s", container.ErrNotRunning, engineMessage(err))
	case err != nil:
		return 0, unavailable(err)
	}
	defer attached.Close()
	stop := context.AfterFunc(ctx, func() {
		_ = attached.CloseWrite()
		e.killCommand(context.WithoutCancel(ctx), created.ID, id)
		attached.Close()
	})
	defer stop()
	e.copyInput(ctx, created.ID, attached.HijackedResponse, command)
	if err := readOutput(attached.HijackedResponse, command); err != nil && ctx.Err() == nil {
		return 0, unavailable(err)
	}
	if ctx.Err() != nil {
		return 0, contextError(ctx, ctx.Err())
	}
	return e.waitCommand(ctx, created.ID)
}

// copyInput copies the input and the sizes of the terminal, until the command ends.
func (e *Engine) copyInput(ctx context.Context, execID string, stream client.HijackedResponse, command container.Command) {
	if command.Stdin != nil {
		go func() {
			_, _ = io.Copy(stream.Conn, command.Stdin)
			_ = stream.CloseWrite()
		}()
	}
	if command.HasTerminal && command.Sizes != nil {
		go func() {
			for {
				select {
				case size, isOpen := <-command.Sizes:
					if !isOpen {
						return
					}
					e.resizeTerminal(ctx, execID, size)
				case <-ctx.Done():
					return
				}
			}
		}()
	}
}

// resizeTerminal sets the size of the terminal of a command that may not have it yet.
func (e *Engine) resizeTerminal(ctx context.Context, execID string, size container.TerminalSize) {
	for attempt := range resizeAttempts {
		_, err := callWithTimeout(ctx, e.cfg.CallTimeout, "resize the terminal", func(ctx context.Context) (client.ExecResizeResult, error) {
			return e.api.ExecResize(ctx, execID, client.ExecResizeOptions{Width: uint(size.Width), Height: uint(size.Height)})
		})
		if err == nil || wait.For(ctx, time.Duration(attempt+1)*execPollInterval) != nil {
			return
		}
	}
}

// readOutput copies the output to its end. After a write has failed it discards the rest, so that the command does
// not block.
func readOutput(stream client.HijackedResponse, command container.Command) error {
	out, errs := discardAfterError(command.Stdout), discardAfterError(command.Stderr)
	var err error
	if command.HasTerminal {
		_, err = io.Copy(out, stream.Reader)
	} else {
		_, err = stdcopy.StdCopy(out, errs, stream.Reader)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// discardAfterError returns a writer that discards everything after the first write that fails.
func discardAfterError(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return &lossyWriter{w}
}

type lossyWriter struct{ w io.Writer }

// Write implements io.Writer.
func (l *lossyWriter) Write(data []byte) (int, error) {
	if _, err := l.w.Write(data); err != nil {
		l.w = io.Discard
	}
	return len(data), nil
}

// waitCommand returns the exit code of a command whose output has ended.
func (e *Engine) waitCommand(ctx context.Context, execID string) (int, error) {
	deadline := time.Now().Add(execExitTimeout)
	for {
		state, err := e.inspectCommand(ctx, execID)
		switch {
		case err != nil:
			return 0, unavailable(err)
		case !state.Running:
			return state.ExitCode, nil
		case time.Now().After(deadline):
			return 0, malformedResponse("the output of the command has ended, and it still runs")
		}
		if err := wait.For(ctx, execPollInterval); err != nil {
			return 0, contextError(ctx, err)
		}
	}
}

func (e *Engine) inspectCommand(ctx context.Context, execID string) (client.ExecInspectResult, error) {
	return callWithTimeout(ctx, e.cfg.CallTimeout, "inspect the command", func(ctx context.Context) (client.ExecInspectResult, error) {
		return e.api.ExecInspect(ctx, execID, client.ExecInspectOptions{})
	})
}

// killAttempts is how often the process of a command is killed: the engine may not know it at once.
const killAttempts = 50

// killCommand kills the process of the command if it is one of this machine, until the engine knows its end.
func (e *Engine) killCommand(ctx context.Context, execID, containerID string) {
	for range killAttempts {
		state, err := e.inspectCommand(ctx, execID)
		if err == nil && !state.Running {
			return
		}
		if err == nil {
			killProcess(state.PID, containerID)
		}
		_ = wait.For(ctx, execPollInterval)
	}
}

// killProcess kills a process of the container. The control group of the process proves that it is one of the
// container, and its handle that the pid is not that of a later process.
func killProcess(pid int, containerID string) {
	if pid <= 1 || pid == os.Getpid() {
		return
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return
	}
	defer func() { _ = process.Release() }()
	if process.WithHandle(func(uintptr) {}) != nil {
		return
	}
	groups, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err == nil && strings.Contains(string(groups), containerID) {
		_ = process.Signal(syscall.SIGKILL)
	}
}
