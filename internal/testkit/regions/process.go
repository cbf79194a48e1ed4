package regions

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"galaxy/rtmanager/internal/testkit/netns"
	"galaxy/rtmanager/internal/testkit/network"
)

// startTimeout bounds the start of a process on a loaded machine.
const startTimeout = 2 * time.Minute

// process is a child process of the test. Its standard error is a log file, which is
// printed if the test fails.
type process struct {
	name   string
	cmd    *exec.Cmd
	log    string
	exited chan struct{} // closed when the process has exited

	mu    sync.Mutex
	lines []string // standard output so far
}

// startProcess starts a program in the region, on the host unless that is nil. It is killed when the test ends.
func startProcess(tb testing.TB, net *network.Network, region string, host *netns.Host, cmd *exec.Cmd) (*process, error) {
	name := region + "-" + filepath.Base(cmd.Path)
	logFile, err := os.CreateTemp(tb.TempDir(), name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = logFile.Close() }()
	p := &process{name: name, cmd: cmd, log: logFile.Name(), exited: make(chan struct{})}
	cmd.Stderr = logFile
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	err = net.StartIn(region, func() (int, error) {
		start := cmd.Start
		if host != nil {
			start = func() error { return host.Start(cmd) }
		}
		if err := start(); err != nil {
			return 0, err
		}
		return cmd.Process.Pid, nil
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.exited)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			p.mu.Lock()
			p.lines = append(p.lines, scanner.Text())
			p.mu.Unlock()
		}
		net.Unregister(cmd.Process.Pid) // while its id is not free
		_ = cmd.Wait()
	}()
	tb.Cleanup(func() {
		p.kill()
		if tb.Failed() {
			tb.Logf("log of %s, its last 8 KiB:\n%s", name, p.logTail())
		}
	})
	return p, nil
}

// pairs waits for a line of standard output that begins with the word, and returns its
// key=value pairs.
func (p *process) pairs(word string) (map[string]string, error) {
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		hasExited := p.hasExited()
		if pairs := p.findPairs(word); pairs != nil {
			return pairs, nil
		}
		if hasExited {
			return nil, fmt.Errorf("%s ended before it printed %q: %s", p.name, word, p.logTail())
		}
		select {
		case <-poll.C:
		case <-timeout.C:
			return nil, fmt.Errorf("%s did not print %q within %s", p.name, word, startTimeout)
		}
	}
}

// findPairs returns nil if no line begins with the word so far.
func (p *process) findPairs(word string) map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		if rest, found := strings.CutPrefix(line, word+" "); found {
			pairs := map[string]string{}
			for _, field := range strings.Fields(rest) {
				key, value, _ := strings.Cut(field, "=")
				pairs[key] = value
			}
			return pairs
		}
	}
	return nil
}

func (p *process) logTail() []byte {
	content, _ := os.ReadFile(p.log)
	return content[max(0, len(content)-8<<10):]
}

func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// kill kills the process, also while it is suspended, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// signal sends a signal to the process.
func (p *process) signal(signal syscall.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("signal %s to %s: %w", signal, p.name, err)
	}
	return nil
}
