package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
)

// The exit codes.
const (
	ExitRight  = 0 // no violation
	ExitBroken = 1 // a promise was broken
	ExitVoid   = 2 // the run proves nothing or did not start, or the usage is wrong
)

const usage = `chaos makes traffic and faults on a cluster of rtmanager, records everything that
happens, and checks from the recording whether the promises were kept.

Usage:
  chaos run --daemon REGION/NODE=URL ... [flags]   run on a cluster that exists
  chaos check DIR                                  check recordings, write their pages
  chaos report DIR                                 write the pages of recordings

DIR has a recording, or directories with one recording each. A page is report.html
next to the recording; DIR gets summary.html and summary.json.

Exit codes: 0 no violation, 1 violations, 2 a run that proves nothing or did not
start, or wrong usage. report exits with 0 also if there are violations.

chaos COMMAND --help describes the flags of a command.
`

// Main executes the program and returns its exit code. If ctx ends, a run ends early.
func Main(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	commands := map[string]func(context.Context, []string, io.Writer) (int, error){"run": run, "check": checkRecordings, "report": reportRecordings}
	if len(arguments) == 0 {
		fmt.Fprint(stderr, usage)
		return ExitVoid
	}
	name := arguments[0]
	if slices.Contains([]string{"help", "--help", "-help", "-h"}, name) {
		fmt.Fprint(stdout, usage)
		return ExitRight
	}
	command, isThere := commands[name]
	if !isThere {
		fmt.Fprintf(stderr, "chaos: unknown command %q: the commands are %v\n", name, slices.Sorted(maps.Keys(commands)))
		return ExitVoid
	}
	code, err := command(ctx, arguments[1:], stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return ExitRight
	case err != nil:
		fmt.Fprintf(stderr, "chaos %s: %v\n", name, err)
		return ExitVoid
	default:
		return code
	}
}

// newFlags returns the flags of a command, which print the text as help.
func newFlags(name, text string, stdout io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet("chaos "+name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // Main prints errors
	flags.Usage = func() {
		fmt.Fprint(stdout, text)
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		flags.SetOutput(io.Discard)
	}
	return flags
}

// parse parses flags. Only --help prints the usage.
func parse(flags *flag.FlagSet, arguments []string) error {
	help := flags.Usage
	flags.Usage = func() {}
	err := flags.Parse(arguments)
	if errors.Is(err, flag.ErrHelp) {
		help()
	}
	return err
}
