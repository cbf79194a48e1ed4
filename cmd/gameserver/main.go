// Command gameserver is a small game server to run, crash and lose: what the
// tests of the engines and the tour start. It knows nothing of rtmanager but the
// variables that every container is given.
package main

import (
	"fmt"
	"io"
	"os"
)

// version is the release that it says it is: go build -ldflags "-X main.version=1.2.3".
var version = "dev"

func main() { os.Exit(run(os.Args[1:], os.LookupEnv, os.Stderr)) }

// run returns the code to exit with: 2 for flags that make no sense, 1 where the
// port cannot be had, otherwise what the flags or a request ask for.
func run(args []string, lookup func(string) (string, bool), stderr io.Writer) int {
	options, err := parse(args, lookup, stderr)
	if err != nil {
		return 2
	}
	if options.child {
		return beChild()
	}
	say(stderr, "gameserver %s starts as process %d", version, os.Getpid())
	if options.exitAtStart >= 0 {
		say(stderr, "exits at once with code %d", options.exitAtStart)
		return options.exitAtStart
	}
	code := 0
	if err := serve(options, args, stderr); err != nil {
		say(stderr, "%v", err)
		code = 1
	}
	say(stderr, "exits with code %d", code)
	return code
}

func say(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
