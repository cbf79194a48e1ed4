// Command chaos makes traffic and faults on a cluster, and checks what happened. It is test support
// and no part of the product.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"galaxy/rtmanager/internal/testkit/chaos/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process
	code := command.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
