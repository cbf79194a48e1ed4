// Command gameserver is a small game server for the tests of the engines and the tour. Its
// flags and requests make it crash, hang or exit slowly. It depends on nothing of
// rtmanager except the environment variables of a container.
package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// version is the release that it reports: go build -ldflags "-X main.version=1.2.3".
var version = "dev"

func main() { os.Exit(run(os.Args[1:], os.LookupEnv, os.Stderr)) }

// run returns the exit code: 2 for invalid flags, 1 if the server cannot listen, and
// otherwise the code that the flags specify.
func run(args []string, lookup func(string) (string, bool), stderr io.Writer) int {
	if len(args) > 0 && args[0] == "run" {
		return runCommand(args[1:], os.Stdin, os.Stdout, stderr)
	}
	options, err := parseOptions(args, lookup, stderr)
	if err != nil {
		return 2
	}
	if options.isChild {
		return runChild()
	}
	if options.detach != "" || options.isWrapped {
		return launch(options, args, stderr)
	}
	logf(stderr, "gameserver %s starts as process %d", version, os.Getpid())
	if options.exitAtStart >= 0 {
		time.Sleep(options.exitAfter)
		logf(stderr, "exits with code %d", options.exitAtStart)
		return options.exitAtStart
	}
	code := 0
	if err := serve(options, args, stderr); err != nil {
		logf(stderr, "%v", err)
		code = 1
	}
	logf(stderr, "exits with code %d", code)
	return code
}

func logf(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
