package shim

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"galaxy/rtmanager/internal/adapters/processengine/internal/procfs"
)

// Descriptors of the parent of a command.
const (
	sessionPipe      = 3 // its end of file ends the command
	sessionVariables = 4
)

// killInterval is the time between two attempts to kill all processes of a command.
const killInterval = 20 * time.Millisecond

// runSession runs the command until none of its processes lives, and returns its exit code. It is a child
// subreaper, so that it kills also processes that have left the session. They do not outlive the command, and
// the command does not outlive the daemon: its exit closes the pipe.
func runSession(s Session) int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM)
	syscall.CloseOnExec(sessionPipe)
	syscall.CloseOnExec(sessionVariables)
	if err := becomeSubreaper(); err != nil {
		return reportExec(s.Args[0], err)
	}
	for _, group := range s.Groups {
		if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0); err != nil {
			return reportExec(s.Args[0], err)
		}
	}
	main, err := startCommand(s)
	if err != nil {
		return reportExec(s.Args[0], err)
	}
	for fd := range 3 {
		_ = syscall.Close(fd) // the output ends when the command has exited
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.NewFile(sessionPipe, "session"))
		killDescendants()
	}()
	return waitCommand(main)
}

// startCommand starts the first process of the command and returns its pid.
func startCommand(s Session) (pid int, err error) {
	file := os.NewFile(sessionVariables, "environment")
	text, err := io.ReadAll(file)
	_ = file.Close()
	if err != nil {
		return 0, err
	}
	variables := decodeEnvironment(string(text))
	for _, variable := range variables {
		if path, isPath := strings.CutPrefix(variable, "PATH="); isPath {
			_ = os.Setenv("PATH", path)
		}
	}
	program, err := exec.LookPath(s.Args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return 0, err
	}
	return syscall.ForkExec(program, s.Args, &syscall.ProcAttr{
		Env: variables, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true, Setctty: s.HasTerminal},
	})
}

// waitCommand waits until all processes have exited, and kills those that outlive the first one. It returns the
// exit code of the first one.
func waitCommand(main int) (code int) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil: // ECHILD: all have exited
			return code
		case pid == main:
			code = exitCode(status)
			go killDescendants()
		}
	}
}

// killDescendants kills the processes of the command until this process exits.
func killDescendants() {
	ticker := time.NewTicker(killInterval)
	for ; ; <-ticker.C {
		procfs.SignalAll(func() []int { return procfs.Descendants(os.Getpid()) }, syscall.SIGKILL)
	}
}
