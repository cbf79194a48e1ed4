package members

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// process is a process in which Serve runs.
type process struct {
	settings   settings
	cmd        *exec.Cmd
	stdin      io.WriteCloser
	lines      chan string // of its standard output
	stderr     bytes.Buffer
	mu         sync.Mutex    // serializes requests
	isStopping atomic.Bool   // its end is expected
	done       chan struct{} // closed when it has ended
	err        error         // of its end
}

// startProcess starts a member. It ends when its standard input is closed.
func startProcess(command []string, s settings) (*process, error) {
	p := &process{settings: s, lines: make(chan string, 1), done: make(chan struct{})}
	p.cmd = exec.CommandContext(context.Background(), command[0], command[1:]...) //nolint:gosec // this program
	// A signal of the terminal ends the benchmark, which then still needs its members.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = &p.stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a member of etcd: %w", err)
	}
	p.stdin = stdin
	go p.readLines(stdout)
	// A member that has ended cannot read its settings; awaitReady then reports why.
	_, _ = stdin.Write(append(text, '\n'))
	return p, nil
}

// readLines receives responses until the process ends.
func (p *process) readLines(stdout io.Reader) {
	for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
		p.lines <- scanner.Text()
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// awaitReady waits until the member serves requests of etcd.
func (p *process) awaitReady(ctx context.Context) error {
	line, err := p.awaitLine(ctx)
	if err == nil && line != responseReady {
		err = fmt.Errorf("member %s of etcd printed %q at its start", p.settings.Name, line)
	}
	return err
}

func (p *process) awaitLine(ctx context.Context) (string, error) {
	select {
	case line := <-p.lines:
		return line, nil
	case <-p.done:
		return "", p.endError()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// endError returns the error of a process that has ended.
func (p *process) endError() error {
	reason := p.err
	if text := strings.TrimSpace(p.stderr.String()); text != "" {
		reason = errors.New(text)
	}
	if reason == nil {
		reason = errors.New("it ended by itself")
	}
	return fmt.Errorf("member %s of etcd: %w", p.settings.Name, reason)
}

// request sends a request and returns the value of its response. After the end of ctx the
// member cannot be used any more: a late response would be that of the next request.
func (p *process) request(ctx context.Context, text string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := io.WriteString(p.stdin, text+"\n"); err != nil {
		<-p.done // the pipe breaks when the process ends
		return "", p.endError()
	}
	line, err := p.awaitLine(ctx)
	if err != nil {
		return "", err
	}
	if value, isOK := strings.CutPrefix(line, responseOK); isOK {
		return value, nil
	}
	return "", fmt.Errorf("member %s of etcd: %s", p.settings.Name, strings.TrimPrefix(line, responseError))
}

func (p *process) cpuTime(ctx context.Context) (time.Duration, error) {
	text, err := p.request(ctx, requestCPU)
	if err != nil {
		return 0, err
	}
	used, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("member %s of etcd: CPU time: %w", p.settings.Name, err)
	}
	return time.Duration(used), nil
}
