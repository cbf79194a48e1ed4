// Package child runs a program as a child process that responds to lines on its standard
// input with lines on its standard output, and ends when its standard input ends. So the
// child ends as well if this process is killed.
package child

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// Process is a running or finished child process. It is safe for concurrent use.
type Process struct {
	cmd      *exec.Cmd
	stdin    io.WriteCloser
	lines    chan string // of its standard output
	stderr   bytes.Buffer
	requests sync.Mutex // serializes requests
	stopOnce sync.Once
	stopping chan struct{} // closed when the end of the process is expected
	done     chan struct{} // closed when the process is done
	err      error         // of its end
}

// Start starts the program with its arguments. The caller calls Stop.
func Start(command []string) (*Process, error) {
	p := &Process{lines: make(chan string), stopping: make(chan struct{}), done: make(chan struct{})}
	p.cmd = exec.CommandContext(context.Background(), command[0], command[1:]...) //nolint:gosec // this program, or one that the user chose
	// A signal of the terminal ends this process, which then still needs the child.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = &p.stderr
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.readLines(stdout)
	return p, nil
}

// readLines receives lines until the process ends.
func (p *Process) readLines(stdout io.Reader) {
	for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
		select {
		case p.lines <- scanner.Text():
		case <-p.stopping: // there may be no reader
		}
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// ID returns the id of the process.
func (p *Process) ID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err waits until the process has ended. It returns why, or nil after Stop.
func (p *Process) Err() error {
	<-p.done
	select {
	case <-p.stopping:
		return nil
	default:
	}
	if text := strings.TrimSpace(p.stderr.String()); text != "" {
		return errors.New(text)
	}
	return cmp.Or(p.err, errEnded)
}

var (
	errEnded   = errors.New("the process ended by itself")
	errStopped = errors.New("the process was stopped")
)

// ReadLine returns the next line of the output that is no response. It returns an error if
// the process ends, and the cause of ctx if ctx ends first.
func (p *Process) ReadLine(ctx context.Context) (string, error) {
	select {
	case line := <-p.lines:
		return line, nil
	case <-p.done:
		return "", cmp.Or(p.Err(), errStopped)
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// Request sends a line and returns the next one of the output. After the end of ctx the
// process accepts no more requests: a late response would be that of the next request.
func (p *Process) Request(ctx context.Context, line string) (string, error) {
	p.requests.Lock()
	defer p.requests.Unlock()
	p.Send(line)
	return p.ReadLine(ctx)
}

// Send sends a line without a response. A process that has ended ignores it; ReadLine
// reports the reason.
func (p *Process) Send(line string) { _, _ = io.WriteString(p.stdin, line+"\n") }

// Stop closes the input of the process, which ends then.
func (p *Process) Stop() {
	p.stopOnce.Do(func() { close(p.stopping) })
	_ = p.stdin.Close() // fails only if the process has ended
}

// Kill kills the process.
func (p *Process) Kill() { _ = p.cmd.Process.Kill() } // fails only if it has ended
