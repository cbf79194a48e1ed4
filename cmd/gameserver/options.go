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

// options are the flags of the game.
type options struct {
	port           int           // never 0 after parseOptions
	exitAtStart    int           // the exit code; negative: keep running
	exitAfter      time.Duration // time from the start to the exit of exitAtStart
	healthyAfter   time.Duration // time from the start until the game is healthy
	isNeverHealthy bool
	slowExit       time.Duration // time from SIGTERM to the exit
	ignoresSIGTERM bool
	hasChild       bool // the game starts a child process, which keeps the port open
	isChild        bool // this process is that child

	// detach starts the server in a session of its own, without descriptors. This process then
	// stays or leaves; empty: it is the server.
	detach string
	// isWrapped starts the server as a child of this process, as a start script does.
	isWrapped bool

	// echoUDP and echoTCP are names of ports of players at which the game returns what it
	// receives; empty for none.
	echoUDP, echoTCP string
	// hasHeartbeat makes the game modify the file heartbeat in HOME while it is healthy.
	hasHeartbeat bool
}

// parseOptions parses the flags. An environment variable GAMESERVER_NAME sets the flag NAME,
// except --child, so that an image can have a fault. PORT also sets the port.
func parseOptions(args []string, lookup func(string) (string, bool), stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("gameserver", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.port, "port", 0, "listen on this `port`; 0 means $PORT, or else 8080")
	flags.IntVar(&o.exitAtStart, "exit-at-start", -1, "exit with this `code` instead of listening")
	flags.DurationVar(&o.exitAfter, "exit-after", 0, "exit only after this `time`, with --exit-at-start")
	flags.DurationVar(&o.healthyAfter, "healthy-after", 0, "be healthy only after this `time`")
	flags.BoolVar(&o.isNeverHealthy, "never-healthy", false, "never be healthy")
	flags.DurationVar(&o.slowExit, "slow-exit", 0, "take this `time` to exit on SIGTERM")
	flags.BoolVar(&o.ignoresSIGTERM, "ignore-sigterm", false, "do not exit on SIGTERM")
	flags.BoolVar(&o.hasChild, "with-child", false, "start a child process that keeps the port open until it is killed")
	flags.BoolVar(&o.isChild, "child", false, "run as the child process of --with-child")
	flags.StringVar(&o.detach, "detach", "", "start the server in another session, and `stay` or leave")
	flags.BoolVar(&o.isWrapped, "wrap", false, "start the server as a child process, as a start script does")
	flags.StringVar(&o.echoUDP, "echo-udp", "", "return UDP packets to the port in the variable PORT_`NAME`")
	flags.BoolVar(&o.hasHeartbeat, "heartbeat", false, "modify the file heartbeat in HOME every 100 ms while the game is healthy")
	flags.StringVar(&o.echoTCP, "echo-tcp", "", "return TCP data to the port in the variable PORT_`NAME`")

	err := setFromVariables(flags, lookup)
	if err != nil {
		logf(stderr, "%v", err)
		return o, err
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.port, err = choosePort(o.port, lookup); err != nil {
		logf(stderr, "%v", err)
	}
	return o, err
}

// setFromVariables sets each flag that has an environment variable.
func setFromVariables(flags *flag.FlagSet, lookup func(string) (string, bool)) (err error) {
	flags.VisitAll(func(f *flag.Flag) {
		name := "GAMESERVER_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, found := lookup(name)
		if !found || err != nil || f.Name == "child" {
			return
		}
		if setErr := f.Value.Set(value); setErr != nil {
			err = fmt.Errorf("variable %s cannot be %q: %w", name, value, setErr)
		}
	})
	return err
}

// choosePort returns the port of the flag, of PORT, or the default port.
func choosePort(flagPort int, lookup func(string) (string, bool)) (int, error) {
	text, _ := lookup("PORT")
	if flagPort != 0 || text == "" {
		return cmp.Or(flagPort, defaultPort), nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("variable PORT cannot be %q: must be a port from 0 to 65535", text)
	}
	return cmp.Or(int(port), defaultPort), nil
}
