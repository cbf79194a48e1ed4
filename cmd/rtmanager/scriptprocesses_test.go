package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

type processesKey struct{}

// processes are what a script has left running, by name.
type processes map[string]*exec.Cmd

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
		"--engine", "none",
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
	begin(ts, args[0], append([]string{"serve", "--engine", "none"}, args[1:]...)...)
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
