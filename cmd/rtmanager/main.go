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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one ends the process at once, as it would
	// one that did not listen.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], cli.SystemStreams()))
}
