package regions

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/network"
)

// startTimeout bounds the start of a process on a loaded machine.
const startTimeout = 2 * time.Minute

// process is a child process of the test. Its standard error is a log file, which is
// printed if the test fails.
type process struct {
	tb     testing.TB
	name   string
	cmd    *exec.Cmd
	log    string
	exited chan struct{} // closed when the process has exited

	mu    sync.Mutex
	lines []string // standard output so far
}

// startProcess starts a program in the region. It is killed when the test ends.
func startProcess(tb testing.TB, net *network.Network, region string, cmd *exec.Cmd) *process {
	tb.Helper()
	name := region + "-" + filepath.Base(cmd.Path)
	logFile, err := os.CreateTemp(tb.TempDir(), name)
	require.NoError(tb, err)
	defer func() { _ = logFile.Close() }()
	p := &process{tb: tb, name: name, cmd: cmd, log: logFile.Name(), exited: make(chan struct{})}
	cmd.Stderr = logFile
	stdout, err := cmd.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, net.StartIn(region, func() (int, error) {
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		return cmd.Process.Pid, nil
	}))
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
			content, _ := os.ReadFile(p.log)
			tb.Logf("log of %s, its last 8 KiB:\n%s", name, content[max(0, len(content)-8<<10):])
		}
	})
	return p
}

// pairs waits for a line of standard output that begins with the word, and returns its
// key=value pairs.
func (p *process) pairs(word string) map[string]string {
	p.tb.Helper()
	pairs := map[string]string{}
	require.Eventually(p.tb, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, line := range p.lines {
			if rest, found := strings.CutPrefix(line, word+" "); found {
				for _, field := range strings.Fields(rest) {
					key, value, _ := strings.Cut(field, "=")
					pairs[key] = value
				}
				return true
			}
		}
		return p.hasExited()
	}, startTimeout, 20*time.Millisecond, "%s printed no %q", p.name, word)
	require.NotEmpty(p.tb, pairs, "%s ended before it printed %q", p.name, word)
	return pairs
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

func (p *process) signal(signal syscall.Signal) { require.NoError(p.tb, p.cmd.Process.Signal(signal)) }

// suspend stops the process as SIGSTOP does, and resume continues it.
func (p *process) suspend() { p.signal(syscall.SIGSTOP) }
func (p *process) resume()  { p.signal(syscall.SIGCONT) }
