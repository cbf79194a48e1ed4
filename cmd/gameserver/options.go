package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

const defaultPort = 8080

// options say how the game behaves.
type options struct {
	port          int
	exitAtStart   int // the code; negative is not at all
	healthyAfter  time.Duration
	neverHealthy  bool
	slowExit      time.Duration
	ignoreSIGTERM bool
	withChild     bool
	child         bool
}

// parse reads the flags. Each of them may also come as a variable, GAMESERVER_
// and its name, so that a whole image can be made to behave badly; the port as PORT.
func parse(args []string, lookup func(string) (string, bool), stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("gameserver", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.port, "port", 0, "listen on this `port`; 0 means $PORT, or else 8080")
	flags.IntVar(&o.exitAtStart, "exit-at-start", -1, "exit at once with this `code`")
	flags.DurationVar(&o.healthyAfter, "healthy-after", 0, "be healthy only after this `time`")
	flags.BoolVar(&o.neverHealthy, "never-healthy", false, "never be healthy")
	flags.DurationVar(&o.slowExit, "slow-exit", 0, "take this `time` to exit on SIGTERM")
	flags.BoolVar(&o.ignoreSIGTERM, "ignore-sigterm", false, "do not exit on SIGTERM")
	flags.BoolVar(&o.withChild, "with-child", false, "start a process that lives until it is killed, and keeps the port meanwhile")
	flags.BoolVar(&o.child, "child", false, "be that process")

	err := setFromVariables(flags, lookup)
	if err != nil {
		say(stderr, "%v", err)
		return o, err
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.port, err = portOf(o.port, lookup); err != nil {
		say(stderr, "%v", err)
	}
	return o, err
}

func setFromVariables(flags *flag.FlagSet, lookup func(string) (string, bool)) (err error) {
	flags.VisitAll(func(f *flag.Flag) {
		name := "GAMESERVER_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, given := lookup(name)
		if !given || err != nil || f.Name == "child" {
			return
		}
		if wrong := f.Value.Set(value); wrong != nil {
			err = fmt.Errorf("variable %s cannot be %q: %w", name, value, wrong)
		}
	})
	return err
}

func portOf(flag int, lookup func(string) (string, bool)) (int, error) {
	text, _ := lookup("PORT")
	if flag != 0 || text == "" {
		return cmp.Or(flag, defaultPort), nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("variable PORT cannot be %q: it is a port from 0 to 65535", text)
	}
	return cmp.Or(int(port), defaultPort), nil
}
