// Command tour runs the five-minute tour of README.md against a daemon of its
// own and compares what the commands print with what the README shows.
//
// It takes the ```console blocks of that section. A line that starts with "$ "
// is a command, lines with "> " continue it, and the rest is its output. Two
// commands are special, as they are for a reader with two terminals: serve and
// watch go on in the background. Instants, ages, ids and ports may differ.
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
	fmt.Println("the tour prints what the README shows")
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
		return fmt.Errorf("%s has no console block in its tour", readme)
	}
	dir, err := os.MkdirTemp("", "tour")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	listen, err := stableAddress(ctx)
	if err != nil {
		return err
	}
	t := &tour{ctx: ctx, dir: dir, listen: listen, etcd: "http://127.0.0.1:0"}
	defer t.stop()
	for _, s := range steps {
		fmt.Println("$", s.command)
		if err := t.take(s); err != nil {
			return err
		}
	}
	return t.compareWatches()
}

// stableAddress returns an address that is free and stays so while the daemon
// is away: unlike port 0 it is not one that clients on this machine are given.
func stableAddress(ctx context.Context) (string, error) {
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

// step is one command of the tour and what it ought to print.
type step struct{ command, output string }

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

// shownAPI is where the README's reader finds the API, shownData what is kept.
const (
	shownAPI  = "http://127.0.0.1:8080"
	shownData = "~/.local/share/rtmanager"
)

type tour struct {
	ctx          context.Context // bounds all of it
	dir          string
	listen, etcd string   // addresses to listen on
	env          []string // of the README's reader, once there is a daemon
	daemon       *exec.Cmd
	watches      []*watch
}

// watch is a command that goes on in the second terminal.
type watch struct {
	step   step
	cmd    *exec.Cmd
	keys   io.Writer // the keyboard of its terminal
	output *lockedBuffer
	ended  chan struct{}
}

// interrupt ends the watch as Ctrl-C does, or else with its terminal.
func (w *watch) interrupt() {
	_, _ = io.WriteString(w.keys, "\x03")
	select {
	case <-w.ended:
	case <-time.After(5 * time.Second):
		_ = w.cmd.Process.Kill()
		<-w.ended
	}
}

func (t *tour) take(s step) error {
	switch {
	case strings.Contains(s.command, "pgrep -f 'rtmanager serve'"):
		return t.kill()
	case strings.Contains(s.command, "rtmanager serve"):
		return t.serve(s)
	case strings.HasPrefix(s.command, "rtmanager watch"):
		return t.watch(s)
	}
	command := strings.NewReplacer(shownAPI, "http://"+t.listen, shownData, t.dir+"/data").Replace(s.command)
	cmd := t.command("bash", "-c", command)
	out, err := cmd.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return err
	}
	return compare(s, string(out))
}

// command is one of the reader's.
func (t *tour) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.ctx, name, args...)
	cmd.Env = append(os.Environ(), t.env...)
	return cmd
}

// serve starts the daemon and waits for its ready line.
func (t *tour) serve(s step) error {
	own := []string{"--data-dir", t.dir + "/data", "--listen", t.listen, "--etcd-listen-client", t.etcd}
	t.daemon = t.command("rtmanager", append(strings.Fields(s.command)[1:], own...)...)
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
		return fmt.Errorf("no ready line: %w", err)
	}
	found := regexp.MustCompile(`api=http://(\S+) etcd=(\S+)`).FindStringSubmatch(line)
	if found == nil {
		return fmt.Errorf("not a ready line: %q", line)
	}
	t.env = []string{"USER=ada", "RTMANAGER_SERVER=http://" + found[1], "ETCDCTL_ENDPOINTS=" + found[2]}
	return compare(s, line)
}

// watch runs under a terminal of its own, since that is how a reader sees it.
func (t *tour) watch(s step) error {
	w := &watch{step: s, cmd: t.command("script", "-qfec", s.command, "/dev/null"), output: &lockedBuffer{}, ended: make(chan struct{})}
	w.cmd.Env = append(w.cmd.Env, "NO_COLOR=1")
	w.cmd.Stdout = w.output
	keys, err := w.cmd.StdinPipe()
	if err != nil {
		return err
	}
	w.keys = keys
	if err := w.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = w.cmd.Wait() // how it ends does not matter
		close(w.ended)
	}()
	t.watches = append(t.watches, w)
	if !eventually(func() bool { return strings.Contains(w.output.String(), "\n") }) {
		return fmt.Errorf("`%s` has nothing to say", s.command)
	}
	return nil
}

// eventually waits for what another process is about to do.
func eventually(happened func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (t *tour) kill() error {
	if t.daemon == nil {
		return errors.New("there is no daemon to kill")
	}
	err := t.daemon.Process.Kill()
	_ = t.daemon.Wait()
	return err
}

// compareWatches gives each watch time to catch up, ends it as Ctrl-C does, and
// compares what it printed.
func (t *tour) compareWatches() error {
	for _, w := range t.watches {
		want := normalise(w.step.output)
		eventually(func() bool { return len(normalise(w.output.String())) >= len(want) })
		seen := w.output.String() // what it says when it is interrupted is not shown
		w.interrupt()
		if err := compare(w.step, seen); err != nil {
			return err
		}
	}
	return nil
}

// stop ends what is still running.
func (t *tour) stop() {
	for _, w := range t.watches {
		w.interrupt()
	}
	if t.daemon != nil && t.daemon.Process != nil && t.daemon.ProcessState == nil {
		// Games outlive their daemon; one is left only where the tour went wrong.
		_ = t.command("rtmanager", "stop", "chess-17").Run()
		_ = t.daemon.Process.Signal(syscall.SIGTERM)
		_ = t.daemon.Wait()
	}
}

func compare(s step, got string) error {
	if want := normalise(s.output); normalise(got) != want {
		return fmt.Errorf("`%s` printed\n%s\nand the README shows\n%s", s.command, normalise(got), want)
	}
	return nil
}

// differing is what may differ from one run to the next.
var differing = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)?`), "INSTANT"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d(\.\d+)?\b`), "TIME"},
	{regexp.MustCompile(`(op_)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(-[0-9a-f]+)?`), "ID"},
	{regexp.MustCompile(`[0-9a-f]{32}|[0-9a-f]{12}…`), "CONTAINER"},
	{regexp.MustCompile(`process \d+|0\.0\.0\.0:\d+`), "PROCESS"},
	// Progress: a terminal shows it on one line, which goes away.
	{regexp.MustCompile(`(?m)^rtmanager: \w+ chess-17: [a-z ]+\n`), ""},
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "URL"},
	{regexp.MustCompile(`ready_ms=\d+`), "ready_ms=N"},
	{regexp.MustCompile(`\b\d+(ms|s|m|h|d)\b`), "AGE"},
	{regexp.MustCompile(`\r`), ""},
	{regexp.MustCompile(`[ \t]+`), " "},
	{regexp.MustCompile(` ?\n`), "\n"},
	// Daemons write too, when they come and go.
	{regexp.MustCompile(`\b(revision|TIME|CONTAINER) \d+`), "$1 N"},
}

func normalise(text string) string {
	for _, d := range differing {
		text = d.pattern.ReplaceAllString(text, d.word)
	}
	return strings.TrimSpace(text)
}

// lockedBuffer is a buffer that one goroutine fills while another reads it.
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
