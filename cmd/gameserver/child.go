package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
)

// startChild starts a child process that outlives this process and keeps its port open.
// If the game is killed without its child, the port still accepts connections. startChild
// returns the listener to use from now on, since tcp.File has made the passed one blocking.
func startChild(listener net.Listener) (net.Listener, error) {
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		return listener, fmt.Errorf("start child: %T has no port to share", listener)
	}
	port, err := tcp.File()
	if err != nil {
		return listener, fmt.Errorf("start child: %w", err)
	}
	defer func() { _ = port.Close() }()
	program, err := os.Executable()
	if err != nil {
		return listener, fmt.Errorf("start child: %w", err)
	}
	child := exec.CommandContext(context.Background(), program, "--child")
	child.ExtraFiles = []*os.File{port}
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		return listener, fmt.Errorf("start child: %w", err)
	}
	shared, err := net.FileListener(port)
	if err != nil {
		return listener, fmt.Errorf("start child: %w", err)
	}
	return shared, listener.Close()
}

// runChild ignores all signals until it is killed.
func runChild() int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals) // all signals
	for range signals {
		continue
	}
	return 0
}
