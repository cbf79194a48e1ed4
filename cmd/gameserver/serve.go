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

// shutdownPatience is how long requests in flight may hold up the exit.
const shutdownPatience = time.Second

// serve answers requests until a signal asks for the exit.
func serve(o options, args []string, stderr io.Writer) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)

	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp4", fmt.Sprintf("0.0.0.0:%d", o.port))
	if err != nil {
		return err
	}
	if o.withChild {
		if listener, err = startChild(listener); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	say(stderr, "listens on %s", listener.Addr())
	game := newGame(o, args, stderr)
	server := &http.Server{Handler: game.routes(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	if err := game.awaitExit(signals, failed); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
	defer cancel()
	_ = server.Shutdown(ctx) // a request that hangs does not keep the game alive
	return nil
}

// awaitExit returns nil once the game has been asked to exit and wants to.
func (g *game) awaitExit(signals <-chan os.Signal, failed <-chan error) error {
	for {
		select {
		case err := <-failed:
			return err
		case s := <-signals:
			if g.options.ignoreSIGTERM && s == syscall.SIGTERM {
				g.say("ignores %v", s)
				continue
			}
			g.say("was asked to exit by %v", s)
			<-time.After(g.options.slowExit)
			return nil
		}
	}
}
