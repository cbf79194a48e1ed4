package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// Scripts are stories that an operator could read, on real daemons. Besides
// testscript's own commands they know:
//
//	serve [FLAG...]     a daemon on free ports and $WORK/data; waits until it is ready
//	watch NAME [ARG...] a watch in the background whose output goes to the file NAME
//	also NAME [FLAG...] a further daemon in the background, whose output goes to the file NAME
//	ask NAME            from here on the verbs talk to that daemon
//	await FILE TEXT     until the file holds the text
//	interrupt WHAT      SIGINT to a daemon (the first is "serve") or a watch; its exit code must be 0 or 130
//	terminate WHAT      the same with SIGTERM
//	kill9               SIGKILL to the daemon
//	exits N COMMAND     the command's exit code is N
//	prints FILE         standard output is the file's text, instants, ids and ages aside
//	etcdput, etcddel, etcdcompact
//	                    behind the daemon's back
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serveCommand, "watch": watchCommand, "also": alsoCommand, "ask": askCommand, "await": awaitCommand,
			"interrupt": signalCommand(syscall.SIGINT), "terminate": signalCommand(syscall.SIGTERM), "kill9": killCommand,
			"exits": exitsCommand, "prints": printsCommand,
			"etcdput": etcdPutCommand, "etcddel": etcdDeleteCommand, "etcdcompact": etcdCompactCommand,
		},
	})
}

type processesKey struct{}

// processes are what a script has left running, by name.
type processes map[string]*exec.Cmd

func setupScript(env *testscript.Env) error {
	bin := filepath.Join(env.WorkDir, ".bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	// The test program is rtmanager wherever beDaemon is set.
	if err := os.Symlink(program, filepath.Join(bin, "rtmanager")); err != nil {
		return err
	}
	env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
	env.Setenv(beDaemon, "1")
	env.Setenv("USER", "ada")
	env.Setenv("RTMANAGER_SERVER", "http://127.0.0.1:1")
	// What a script cannot write.
	env.Setenv("LONG", strings.Repeat("x", 257))
	env.Setenv("ESC", "\x1b")
	env.Setenv("BYTE", "\xff")
	running := processes{}
	env.Values[processesKey{}] = running
	env.Defer(func() {
		for _, cmd := range running {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return nil
}

func running(ts *testscript.TestScript) processes {
	return ts.Value(processesKey{}).(processes)
}

// begin starts rtmanager in the background, its output in files of the script.
func begin(ts *testscript.TestScript, name string, args ...string) {
	cmd := exec.CommandContext(context.Background(), filepath.Join(ts.Getenv("WORK"), ".bin", "rtmanager"), args...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "USER", beDaemon, "RTMANAGER_SERVER", "RTMANAGER_REGION"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	stdout, err := os.Create(ts.MkAbs(name))
	ts.Check(err)
	defer stdout.Close()
	stderr, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	ts.Check(cmd.Start())
	running(ts)[name] = cmd
}

func serveCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || running(ts)["serve"] != nil {
		ts.Fatalf("serve: cannot be negated, and only one daemon can run")
	}
	listen := ts.Getenv("LISTEN")
	if listen == "" {
		var err error
		listen, err = stableAddress()
		ts.Check(err)
		ts.Setenv("LISTEN", listen)
	}
	begin(ts, "serve", append([]string{
		"serve", "--data-dir", ts.MkAbs("data"), "--listen", listen, "--etcd-listen-client", "http://127.0.0.1:0",
	}, args...)...)
	ask(ts, "serve")
}

// ask points the verbs at a daemon once it is ready.
func ask(ts *testscript.TestScript, name string) {
	ready := readyLine.FindStringSubmatch(await(ts, name, "\n"))
	if ready == nil {
		ts.Fatalf("%s: not a ready line: %s", name, ts.ReadFile(name))
	}
	ts.Setenv("RTMANAGER_SERVER", "http://"+ready[1])
	ts.Setenv("ETCD", ready[2])
}

func askCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 || running(ts)[args[0]] == nil {
		ts.Fatalf("usage: ask NAME, of a daemon that runs")
	}
	ask(ts, args[0])
}

func alsoCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 1 || running(ts)[args[0]] != nil {
		ts.Fatalf("usage: also NAME [FLAG...], of a daemon that does not run")
	}
	begin(ts, args[0], append([]string{"serve"}, args[1:]...)...)
}

func watchCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 1 {
		ts.Fatalf("usage: watch NAME [ARG...]")
	}
	begin(ts, args[0], append([]string{"watch"}, args[1:]...)...)
}

func awaitCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: await FILE TEXT")
	}
	await(ts, args[0], args[1])
}

// await returns the file's content once it holds the text.
func await(ts *testscript.TestScript, file, text string) string {
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		content, err := os.ReadFile(ts.MkAbs(file))
		if err == nil && bytes.Contains(content, []byte(text)) {
			return string(content)
		}
		select {
		case <-tick.C:
		case <-deadline:
			complaints, _ := os.ReadFile(ts.MkAbs(file + ".err"))
			ts.Fatalf("%s never holds %q:\n%s\n%s", file, text, content, complaints)
		}
	}
}

// signalCommand ends a process in order: a daemon then exits with 0, a verb that
// was interrupted with 130.
func signalCommand(signal syscall.Signal) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		if len(args) != 1 || running(ts)[args[0]] == nil {
			ts.Fatalf("the process to end must be the name of one that runs")
		}
		cmd, want := running(ts)[args[0]], 130
		if cmd.Args[1] == "serve" {
			want = 0
		}
		delete(running(ts), args[0])
		ts.Check(cmd.Process.Signal(signal))
		if code := codeOf(ts, cmd.Wait()); code != want {
			ts.Fatalf("%s ended with exit code %d, not %d:\n%s", args[0], code, want, ts.ReadFile(args[0]+".err"))
		}
	}
}

func killCommand(ts *testscript.TestScript, _ bool, _ []string) {
	cmd := running(ts)["serve"]
	if cmd == nil {
		ts.Fatalf("there is no daemon to kill")
	}
	delete(running(ts), "serve")
	ts.Check(cmd.Process.Kill())
	_ = cmd.Wait() // "signal: killed"
}

func codeOf(ts *testscript.TestScript, err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

func exitsCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits N COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if code := codeOf(ts, ts.Exec(args[1], args[2:]...)); code != want {
		ts.Fatalf("exit code %d, not %d", code, want)
	}
}

// differing is what may differ from one run to the next.
var differing = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "INSTANT"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(-[0-9a-f]+)?`), "ID"},
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "URL"},
	{regexp.MustCompile(`\b\d+[smhd]\b`), "AGE"},
	{regexp.MustCompile(`[ \t]+`), " "},
	{regexp.MustCompile(` ?\n`), "\n"},
}

func printsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: prints FILE")
	}
	normalise := func(text string) string {
		for _, d := range differing {
			text = d.pattern.ReplaceAllString(text, d.word)
		}
		return strings.TrimSpace(text)
	}
	got, want := normalise(ts.ReadFile("stdout")), normalise(ts.ReadFile(args[0]))
	if (got == want) == neg {
		ts.Fatalf("printed\n%s\nwanted\n%s", got, want)
	}
}

func etcdPutCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: etcdput KEY VALUE")
	}
	onEtcd(ts, func(ctx context.Context, client *clientv3.Client) error {
		_, err := client.Put(ctx, args[0], args[1])
		return err
	})
}

func etcdDeleteCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: etcddel KEY")
	}
	onEtcd(ts, func(ctx context.Context, client *clientv3.Client) error {
		deleted, err := client.Delete(ctx, args[0])
		if err == nil && deleted.Deleted != 1 {
			err = fmt.Errorf("there is no key %q", args[0])
		}
		return err
	})
}

// etcdCompactCommand makes etcd forget everything before its present revision.
func etcdCompactCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 0 {
		ts.Fatalf("usage: etcdcompact")
	}
	onEtcd(ts, func(ctx context.Context, client *clientv3.Client) error {
		head, err := client.Get(ctx, "/")
		if err != nil {
			return err
		}
		_, err = client.Compact(ctx, head.Header.GetRevision(), clientv3.WithCompactPhysical())
		return err
	})
}

func onEtcd(ts *testscript.TestScript, act func(context.Context, *clientv3.Client) error) {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{ts.Getenv("ETCD")}, Logger: zap.NewNop()})
	ts.Check(err)
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ts.Check(act(ctx, client))
}
