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
	// The second signal ends the process at once, as if it handled no signals.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], cli.SystemStreams()))
}
