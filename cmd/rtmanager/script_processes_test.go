package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

type processesKey struct{}

// processes are the running processes of a script, by name.
type processes map[string]*exec.Cmd

func running(ts *testscript.TestScript) processes {
	return ts.Value(processesKey{}).(processes)
}

// startProcess starts rtmanager in the background, with its output in files of the script.
func startProcess(ts *testscript.TestScript, name string, args ...string) {
	cmd := exec.CommandContext(context.Background(), filepath.Join(ts.Getenv("WORK"), ".bin", "rtmanager"), args...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "USER", runMainVariable, "RTMANAGER_SERVER", "RTMANAGER_REGION", "XDG_CONFIG_HOME"} {
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
		listen, err = unusedAddress()
		ts.Check(err)
		ts.Setenv("LISTEN", listen)
	}
	startProcess(ts, "serve", append([]string{
		"serve", "--data-dir", ts.MkAbs("data"), "--listen", listen, "--etcd-listen-client", "http://127.0.0.1:0",
		"--engine", "none",
	}, args...)...)
	useDaemon(ts, "serve")
}

// useDaemon waits until the daemon is ready and connects the following commands to it.
func useDaemon(ts *testscript.TestScript, name string) {
	ready := readyLine.FindStringSubmatch(waitForText(ts, name, "\n"))
	if ready == nil {
		ts.Fatalf("%s: not a ready line: %s", name, ts.ReadFile(name))
	}
	scheme := "http://"
	if strings.HasPrefix(ready[0], "ready api=https:") {
		scheme = "https://"
	}
	ts.Setenv("RTMANAGER_SERVER", scheme+ready[1])
	ts.Setenv("ETCD", ready[2])
}

func useCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 || running(ts)[args[0]] == nil {
		ts.Fatalf("usage: use NAME, of a running daemon")
	}
	useDaemon(ts, args[0])
}

func daemonCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 1 || running(ts)[args[0]] != nil {
		ts.Fatalf("usage: daemon NAME [FLAG...], of a daemon that is not running")
	}
	startProcess(ts, args[0], append([]string{"serve", "--engine", "none"}, args[1:]...)...)
}

func watchCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 1 {
		ts.Fatalf("usage: watch NAME [ARG...]")
	}
	startProcess(ts, args[0], append([]string{"watch"}, args[1:]...)...)
}

func awaitCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: await FILE TEXT")
	}
	waitForText(ts, args[0], args[1])
}

// waitForText waits until the file contains the text and returns its content.
func waitForText(ts *testscript.TestScript, file, text string) string {
	deadline := time.After(waitTimeout)
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
			stderr, _ := os.ReadFile(ts.MkAbs(file + ".err"))
			ts.Fatalf("%s never contains %q:\n%s\n%s", file, text, content, stderr)
		}
	}
}

// signalCommand sends the signal to a process and checks its exit code: 0 for a daemon, 130
// for another command.
func signalCommand(signal syscall.Signal) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		if len(args) != 1 || running(ts)[args[0]] == nil {
			ts.Fatalf("the argument must be the name of a running process")
		}
		cmd, want := running(ts)[args[0]], 130
		if cmd.Args[1] == "serve" {
			want = 0
		}
		delete(running(ts), args[0])
		ts.Check(cmd.Process.Signal(signal))
		if code := exitCode(ts, cmd.Wait()); code != want {
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
