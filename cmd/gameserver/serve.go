package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// shutdownTimeout is how long the exit waits for requests in flight.
const shutdownTimeout = time.Second

// serve handles requests until it receives a signal.
func serve(o options, args []string, stderr io.Writer) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)

	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp4", fmt.Sprintf("0.0.0.0:%d", o.port))
	if err != nil {
		return err
	}
	if err := startEchoes(o); err != nil {
		return errors.Join(err, listener.Close())
	}
	if o.hasChild {
		if listener, err = startChild(listener); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	logf(stderr, "listens on %s", listener.Addr())
	game := newGame(o, args, stderr)
	if o.hasHeartbeat {
		go game.writeHeartbeats()
	}
	server := &http.Server{Handler: game.routes(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	if err := game.waitForExit(signals, failed); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	_ = server.Shutdown(ctx) // a request that hangs does not keep the game alive
	return nil
}

// waitForExit waits for a signal that it does not ignore, and then for the time of
// --slow-exit.
func (g *game) waitForExit(signals <-chan os.Signal, failed <-chan error) error {
	for {
		select {
		case err := <-failed:
			return err
		case s := <-signals:
			if g.options.ignoresSIGTERM && s == syscall.SIGTERM {
				g.logf("ignores %v", s)
				continue
			}
			g.logf("received %v", s)
			<-time.After(g.options.slowExit)
			return nil
		}
	}
}
