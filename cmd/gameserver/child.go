package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
)

// startChild starts a process of this program that outlives this one and keeps
// its port: whoever ends the game without its processes leaves a port behind that
// still takes connections. It returns the listener to go on with: passing the port
// on has made the given one block.
func startChild(listener net.Listener) (net.Listener, error) {
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		return listener, fmt.Errorf("start child: %T has no port to keep", listener)
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
	again, err := net.FileListener(port)
	if err != nil {
		return listener, fmt.Errorf("start child: %w", err)
	}
	return again, listener.Close()
}

// beChild lives until it is killed.
func beChild() int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals) // all, to do nothing
	for range signals {
		continue
	}
	return 0
}
