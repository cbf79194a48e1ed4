// Command tour runs the commands of the README's tour against a new daemon and
// compares their output with the README.
//
// It reads the ```console blocks of the section whose heading contains "tour". A line
// that starts with "$ " is a command, lines with "> " continue it, and the other lines
// are its output. The commands serve and watch run in the background, as in a second
// terminal; kill with a process id kills the daemon. Times, ages, ids and ports may differ.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: tour README.md")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		os.Exit(1)
	}
	fmt.Println("the output of every command equals the README")
}

func run(readme string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	text, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	steps := parse(string(text))
	if len(steps) == 0 {
		return fmt.Errorf("%s: the tour has no console block", readme)
	}
	dir, err := os.MkdirTemp("", "tour")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	listen, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	t := &tour{ctx: ctx, dir: dir, listen: listen, etcd: "http://127.0.0.1:0"}
	defer t.stop()
	for _, s := range steps {
		fmt.Println("$", s.command)
		if err := t.run(s); err != nil {
			return err
		}
	}
	return t.compareWatches()
}

// freeAddress returns a free address outside the port range of outgoing connections,
// so that the port stays free while the daemon is restarted.
func freeAddress(ctx context.Context) (string, error) {
	for {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return "", err
		}
		return listener.Addr().String(), listener.Close()
	}
}

// step is a command of the tour and its expected output.
type step struct{ command, output string }

// parse returns the steps of the tour in order.
func parse(readme string) []step {
	var steps []step
	inTour, inBlock := false, false
	for line := range strings.Lines(readme) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "## "):
			inTour = strings.Contains(strings.ToLower(line), "tour")
		case inTour && line == "```console":
			inBlock = true
		case line == "```":
			inBlock = false
		case !inTour || !inBlock:
		case strings.HasPrefix(line, "$ "):
			steps = append(steps, step{command: line[2:]})
		case strings.HasPrefix(line, "> "):
			steps[len(steps)-1].command += "\n" + line[2:]
		default:
			steps[len(steps)-1].output += line + "\n"
		}
	}
	return steps
}

// The README shows the default address of the API and the default data directory.
const (
	shownAPI  = "http://127.0.0.1:8080"
	shownData = "~/.local/share/rtmanager"
)

// tour runs the steps and owns the processes that they start.
type tour struct {
	ctx          context.Context // limits the whole run
	dir          string          // temporary; contains the data directory
	listen, etcd string          // addresses for the daemon
	env          []string        // of every command after serve
	daemon       *exec.Cmd
	watches      []*watch
}

// watch is a command that runs in the background until the end of the tour.
type watch struct {
	step   step
	cmd    *exec.Cmd
	input  io.Writer // of its terminal
	output *lockedBuffer
	done   chan struct{} // closed when the command has exited
}

// interrupt sends Ctrl-C, and kills the command if it does not exit.
func (w *watch) interrupt() {
	_, _ = io.WriteString(w.input, "\x03")
	select {
	case <-w.done:
	case <-time.After(5 * time.Second):
		_ = w.cmd.Process.Kill()
		<-w.done
	}
}

// run executes one step and compares its output.
func (t *tour) run(s step) error {
	switch {
	case killCommand.MatchString(s.command):
		return t.killDaemon()
	case strings.Contains(s.command, "rtmanager serve"):
		return t.startDaemon(s)
	case strings.HasPrefix(s.command, "rtmanager watch"):
		return t.startWatch(s)
	}
	command := strings.NewReplacer(shownAPI, "http://"+t.listen, shownData, t.dir+"/data").Replace(s.command)
	cmd := t.command("bash", "-c", command)
	out, err := cmd.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return err
	}
	return compare(s, string(out))
}

// command returns a command with the environment of the tour.
func (t *tour) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.ctx, name, args...)
	cmd.Env = append(os.Environ(), t.env...)
	return cmd
}

// startDaemon starts the daemon and waits for its ready line.
func (t *tour) startDaemon(s step) error {
	flags := []string{"--data-dir", t.dir + "/data", "--listen", t.listen, "--etcd-listen-client", t.etcd}
	t.daemon = t.command("rtmanager", append(strings.Fields(s.command)[1:], flags...)...)
	stdout, err := t.daemon.StdoutPipe()
	if err != nil {
		return err
	}
	t.daemon.Stderr = os.Stderr
	if err := t.daemon.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return fmt.Errorf("read the ready line: %w", err)
	}
	found := regexp.MustCompile(`api=http://(\S+) etcd=(\S+)`).FindStringSubmatch(line)
	if found == nil {
		return fmt.Errorf("%q is not a ready line", line)
	}
	if pid := fmt.Sprintf(" pid=%d ", t.daemon.Process.Pid); !strings.Contains(line, pid) {
		return fmt.Errorf("%q does not contain%s", line, pid)
	}
	t.env = []string{"USER=ada", "RTMANAGER_SERVER=http://" + found[1], "ETCDCTL_ENDPOINTS=" + found[2]}
	return compare(s, line)
}

// startWatch runs the command in a terminal, since the output to a terminal differs,
// and waits for its first line.
func (t *tour) startWatch(s step) error {
	w := &watch{step: s, cmd: t.command("script", "-qfec", s.command, "/dev/null"), output: &lockedBuffer{}, done: make(chan struct{})}
	w.cmd.Env = append(w.cmd.Env, "NO_COLOR=1")
	w.cmd.Stdout = w.output
	input, err := w.cmd.StdinPipe()
	if err != nil {
		return err
	}
	w.input = input
	if err := w.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = w.cmd.Wait() // the exit code does not matter
		close(w.done)
	}()
	t.watches = append(t.watches, w)
	if !eventually(func() bool { return strings.Contains(w.output.String(), "\n") }) {
		return fmt.Errorf("`%s` printed nothing", s.command)
	}
	return nil
}

// eventually repeats the condition until it is true, for at most 20 seconds.
func eventually(condition func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// killCommand matches the step that kills the daemon. The README shows the process id of
// its own ready line.
var killCommand = regexp.MustCompile(`^kill -9 \d+\b`)

// killDaemon kills the daemon without a clean shutdown.
func (t *tour) killDaemon() error {
	if t.daemon == nil {
		return errors.New("no daemon is running")
	}
	err := t.daemon.Process.Kill()
	_ = t.daemon.Wait()
	return err
}

// compareWatches waits until each watch has printed its expected output, interrupts
// the watch and compares.
func (t *tour) compareWatches() error {
	for _, w := range t.watches {
		want := normalize(w.step.output)
		eventually(func() bool { return len(normalize(w.output.String())) >= len(want) })
		seen := w.output.String() // without the message of the interrupt
		w.interrupt()
		if err := compare(w.step, seen); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the remaining processes.
func (t *tour) stop() {
	for _, w := range t.watches {
		w.interrupt()
	}
	if t.daemon != nil && t.daemon.Process != nil && t.daemon.ProcessState == nil {
		// A game survives its daemon. It still runs only if a step failed.
		_ = t.command("rtmanager", "stop", "--all", "--yes").Run()
		_ = t.daemon.Process.Signal(syscall.SIGTERM)
		_ = t.daemon.Wait()
	}
}

// compare returns an error if the output differs from the README.
func compare(s step, got string) error {
	if want := normalize(s.output); normalize(got) != want {
		return fmt.Errorf("`%s` printed:\n%s\nThe README shows:\n%s", s.command, normalize(got), want)
	}
	return nil
}

// replacements remove what differs from one run to the next.
var replacements = []struct {
	pattern     *regexp.Regexp
	replacement string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)?`), "TIMESTAMP"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d(\.\d+)?\b`), "TIME"},
	{regexp.MustCompile(`(op_)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(-[0-9a-f]+)?`), "ID"},
	{regexp.MustCompile(`[0-9a-f]{32}|[0-9a-f]{12}…`), "CONTAINER"},
	{regexp.MustCompile(`process \d+|0\.0\.0\.0:\d+`), "PROCESS"},
	{regexp.MustCompile(`\b\d+\.\d\d +\d+\.\dMi`), "USAGE"},
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "URL"},
	{regexp.MustCompile(`\b(pid|ready_ms)=\d+`), "$1=N"},
	{regexp.MustCompile(`\b\d+(ms|s|m|h|d)\b`), "AGE"},
	{regexp.MustCompile(`\r`), ""},
	{regexp.MustCompile(`[ \t]+`), " "},
	{regexp.MustCompile(` ?\n`), "\n"},
	// A daemon that starts or stops writes to etcd, so revisions and counters differ.
	{regexp.MustCompile(`\b(revision|TIME|CONTAINER) \d+`), "$1 N"},
}

// normalize applies the replacements.
func normalize(text string) string {
	for _, r := range replacements {
		text = r.pattern.ReplaceAllString(text, r.replacement)
	}
	return strings.TrimSpace(text)
}

// lockedBuffer is a buffer that one goroutine writes while another reads it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
