package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// launch starts the server as a child process with the arguments. It exits on SIGTERM, and
// does not send the signal to the server.
func launch(o options, args []string, stderr io.Writer) int {
	program, err := os.Executable()
	if err != nil {
		logf(stderr, "%v", err)
		return 1
	}
	server := exec.CommandContext(context.Background(), program, withoutLaunch(args)...)
	if o.detach == "" {
		server.Stderr = os.Stderr
	} else {
		server.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
	if err := server.Start(); err != nil {
		logf(stderr, "%v", err)
		return 1
	}
	if o.detach == "leave" {
		return 0
	}
	_ = server.Wait()
	if o.detach == "stay" {
		select {} // until a signal
	}
	return server.ProcessState.ExitCode()
}

// withoutLaunch returns the arguments without the flags of launch.
func withoutLaunch(args []string) []string {
	var rest []string
	for _, arg := range args {
		if arg != "--wrap" && arg != "--detach=stay" && arg != "--detach=leave" {
			rest = append(rest, arg)
		}
	}
	return rest
}
