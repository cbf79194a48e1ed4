// Command rtmanager is the daemon and its command line; see `rtmanager --help`.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"galaxy/rtmanager/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), endingSignals()...)
	// The second signal ends the process at once, as if it handled no signals.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], cli.SystemStreams()))
}

// endingSignals returns the signals that end the process gracefully. SIGHUP is one of them,
// because there is nothing to reload. A process that nohup started continues to ignore it.
func endingSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
