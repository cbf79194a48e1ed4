package processengine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/creack/pty"

	"galaxy/rtmanager/internal/adapters/processengine/internal/procfs"
	"galaxy/rtmanager/internal/adapters/processengine/internal/shim"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/statedir"
)

var _ ports.CommandRunner = (*Engine)(nil)

// commandsTimeout is how long the end of a run waits for the commands that operators run during it.
const commandsTimeout = 5 * time.Second

// endOfTransmission ends the input on a terminal.
const endOfTransmission = "\x04"

// Exec implements ports.CommandRunner. The command is a process of the daemon's user, as the game is: it has the
// variables, the directory and the control groups of the game, and sees everything else of the machine. Its
// parent kills it when ctx ends, when the game has exited, and when the daemon exits.
func (e *Engine) Exec(ctx context.Context, containerID string, command container.Command) (exitCode int, err error) {
	ctx, end, err := e.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	c, err := e.find(containerID)
	if err != nil {
		return 0, err
	}
	if _, err := e.inspect(c); err != nil {
		return 0, err
	}
	r, err := c.currentRun()
	switch {
	case err != nil:
		return 0, c.wrap("exec in", err)
	case r == nil || !r.hasStarted() || !c.beginCommand(r):
		return 0, c.wrap("exec in", container.ErrNotRunning)
	}
	session, err := e.startSession(ctx, c, r, command)
	if err != nil {
		r.commands.Done()
		return 0, c.wrap("exec in", err)
	}
	return session.wait(ctx, r)
}

// beginCommand adds a command to the run, and returns false if the run has ended.
func (c *processContainer) beginCommand(r *run) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-r.stopping:
		return false
	default:
		r.commands.Add(1)
		return true
	}
}

// endCommands ends the commands of the run, and waits for them, so that none counts as a process of the game.
func (c *processContainer) endCommands(r *run) {
	c.mu.Lock()
	close(r.stopping)
	c.mu.Unlock()
	exited := make(chan struct{})
	go func() {
		r.commands.Wait()
		close(exited)
	}()
	timer := time.NewTimer(commandsTimeout)
	defer timer.Stop()
	select {
	case <-exited:
	case <-timer.C:
	}
}

// session is one command.
type session struct {
	cmd     *exec.Cmd
	control *os.File      // its end ends the command
	copied  chan struct{} // closed when the whole output was written
	release func()        // closes what the command has left open
}

// startSession starts the command with its streams.
func (e *Engine) startSession(ctx context.Context, c *processContainer, r *run, command container.Command) (*session, error) {
	variables, err := e.commandVariables(ctx, c, r)
	if err != nil {
		return nil, err
	}
	defer closeFile(variables)
	endPipe, control, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer closeFile(endPipe)
	s := &session{control: control, copied: make(chan struct{})}
	s.cmd = shim.SessionCommand(shim.Session{Groups: r.config.Groups, HasTerminal: command.HasTerminal, Args: command.Args})
	s.cmd.Dir = filepath.Join(e.cfg.StateDir, statedir.Name(c.spec.Labels.GameID))
	s.cmd.ExtraFiles = []*os.File{endPipe, variables} // descriptors 3 and 4
	setSession(s.cmd)
	if command.HasTerminal {
		err = s.startOnTerminal(command)
	} else {
		err = s.startOnPipes(command)
	}
	if err != nil {
		return nil, errors.Join(err, control.Close())
	}
	return s, nil
}

// commandVariables returns a file in memory with the variables of the game: those of a process of the game, or
// else those of its next start.
func (e *Engine) commandVariables(ctx context.Context, c *processContainer, r *run) (*os.File, error) {
	text := c.gameVariables(r)
	if text == nil {
		secrets, err := e.resolveSecrets(ctx, c)
		if err != nil {
			return nil, err
		}
		text = shim.EncodeEnvironment(e.environment(c, secrets, r.config.Port))
	}
	f, err := newMemoryFile("rtmanager-environment")
	if err != nil {
		return nil, err
	}
	_, err = f.Write(text)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// gameVariables returns the variables with which the game was started, nil if they are not known.
func (c *processContainer) gameVariables(r *run) []byte {
	var pids []int
	if first, ok := procfs.ReadStat(c.file("process")); ok && first.IsAlive() {
		pids = append(pids, first.PID)
	}
	for _, pid := range append(pids, c.members(r)...) {
		if text := procfs.Environment(pid, containerVariable+"="+c.id); text != nil {
			return text
		}
	}
	return nil
}

// startOnPipes starts the command with a pipe for each stream.
func (s *session) startOnPipes(command container.Command) error {
	var opened, inherited []*os.File
	closeAll := func(files []*os.File) {
		for _, f := range files {
			_ = f.Close()
		}
	}
	outputs := make([]*os.File, 2)
	for i := range outputs {
		read, write, err := os.Pipe()
		if err != nil {
			closeAll(append(opened, inherited...))
			return err
		}
		outputs[i], opened, inherited = read, append(opened, read), append(inherited, write)
	}
	s.cmd.Stdout, s.cmd.Stderr = inherited[0], inherited[1]
	if command.Stdin != nil {
		read, write, err := os.Pipe()
		if err != nil {
			closeAll(append(opened, inherited...))
			return err
		}
		s.cmd.Stdin, opened, inherited = read, append(opened, write), append(inherited, read)
	}
	err := s.cmd.Start()
	closeAll(inherited)
	if err != nil {
		closeAll(opened)
		return err
	}
	if command.Stdin != nil {
		input := opened[2]
		go func() {
			_, _ = io.Copy(input, command.Stdin)
			_ = input.Close()
		}()
	}
	s.release = func() { closeAll(opened) }
	go func() {
		defer close(s.copied)
		other := make(chan struct{})
		go func() {
			defer close(other)
			copyOutput(command.Stderr, outputs[1])
		}()
		copyOutput(command.Stdout, outputs[0])
		<-other
	}()
	return nil
}

// startOnTerminal starts the command on a new terminal.
func (s *session) startOnTerminal(command container.Command) error {
	terminal, slave, err := pty.Open()
	if err != nil {
		return fmt.Errorf("open a terminal: %w", err)
	}
	select { // the command starts with the size that is known already
	case size := <-command.Sizes:
		resize(terminal, size)
	default:
	}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = slave, slave, slave
	err = s.cmd.Start()
	_ = slave.Close()
	if err != nil {
		return errors.Join(err, terminal.Close())
	}
	go func() {
		defer close(s.copied)
		copyOutput(command.Stdout, terminal)
	}()
	if command.Stdin != nil {
		go func() {
			if _, err := io.Copy(terminal, command.Stdin); err == nil {
				_, _ = io.WriteString(terminal, endOfTransmission)
			}
		}()
	}
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		resizeUntil(stopped, terminal, command.Sizes)
	}()
	s.release = func() {
		close(stopped)
		<-done
		_ = terminal.Close()
	}
	return nil
}

// resizeUntil sets the sizes of the terminal until stopped is closed.
func resizeUntil(stopped <-chan struct{}, terminal *os.File, sizes <-chan container.TerminalSize) {
	for {
		select {
		case size, isOpen := <-sizes:
			if !isOpen {
				return
			}
			resize(terminal, size)
		case <-stopped:
			return
		}
	}
}

// resize sets the size of the terminal.
func resize(terminal *os.File, size container.TerminalSize) {
	_ = pty.Setsize(terminal, &pty.Winsize{Cols: size.Width, Rows: size.Height})
}

// copyOutput copies until the end of the output. After a write has failed it discards the rest, so that the
// command does not block.
func copyOutput(to io.Writer, from io.Reader) {
	if to != nil {
		_, _ = io.Copy(to, from)
	}
	_, _ = io.Copy(io.Discard, from)
}

// wait waits for the end of the command, and ends it when ctx or the run has ended.
func (s *session) wait(ctx context.Context, r *run) (exitCode int, err error) {
	defer s.release()
	exited := make(chan struct{})
	go func() {
		_ = s.cmd.Wait() // the state of the process has the result
		r.commands.Done()
		close(exited)
	}()
	select {
	case <-exited:
	case <-ctx.Done():
	case <-r.stopping:
	}
	_ = s.control.Close()
	<-exited
	select {
	case <-s.copied:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return 0, unavailable(ctx)
	}
	if status, isUnix := s.cmd.ProcessState.Sys().(syscall.WaitStatus); isUnix && status.Signaled() {
		return container.ExitSignaled + int(status.Signal()), nil
	}
	return s.cmd.ProcessState.ExitCode(), nil
}
