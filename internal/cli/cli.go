// Package cli is the command line of rtmanager: one verb a file, on top of the
// REST client, and serve, which runs the daemon. Data goes to standard output,
// talk to standard error, and the exit code says how it ended.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Streams is what the command line has of the world outside.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// LookupEnv reads the environment, as os.LookupEnv does.
	LookupEnv func(name string) (string, bool)
	// Now is the clock that ages are reckoned by and transitions are dated with.
	Now func() time.Time
	// Terminal reports whether Out is read by a person: only then are there
	// colours and shortened values.
	Terminal bool
}

// SystemStreams returns the streams, environment and clock of this process.
func SystemStreams() Streams {
	return Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, LookupEnv: os.LookupEnv, Now: time.Now,
		Terminal: term.IsTerminal(int(os.Stdout.Fd())),
	}
}

// Main runs one command line, without the program's name, and returns its exit
// code. It ends soon after ctx does, which means an interrupt.
func Main(ctx context.Context, args []string, streams Streams) int {
	a := &app{streams: streams}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return exitOK
	case !a.started:
		// Nothing ran yet, so what is wrong is the command line itself.
		err = usageError{err: err, see: cmd.CommandPath()}
	case ctx.Err() != nil:
		return exitInterrupted
	}
	a.report(err)
	return exitCode(err)
}

// app is one run of the command line.
type app struct {
	streams Streams
	globals globals
	started bool // a verb has begun to run
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "rtmanager",
		Short: "Remember what each game's runtime is doing, and change it by compare-and-swap",
		Long: `rtmanager keeps one linearizable runtime record per game, moves it through its
life by compare-and-swap, and tells every change to whoever watches.

"rtmanager serve" runs the daemon with everything it needs; the other verbs
talk to a daemon.`,
		Example: `  rtmanager serve                                      # the daemon, on 127.0.0.1:8080
  rtmanager put -f game.yaml                           # insert or overwrite a record
  rtmanager list --status running
  rtmanager set-status game-1 --from running --to stopped
  rtmanager watch                                      # every change, as it happens`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	a.globals.bind(root, a.streams)
	root.AddCommand(
		a.serveCommand(), a.listCommand(), a.getCommand(), a.putCommand(), a.setStatusCommand(),
		a.watchCommand(), a.historyCommand(), a.fsckCommand(), a.versionCommand(), a.completionCommand(),
		exitCodesTopic(),
	)
	return root
}

// verb makes a function the body of a command: it checks the flags that all
// verbs share, and names the command and its game in every error.
func (a *app) verb(body func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := a.globals.check(); err != nil {
			return err
		}
		a.started = true
		if err := body(cmd, args); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(append([]string{cmd.Name()}, plainAll(args)...), " "), err)
		}
		return nil
	}
}

// oneGame wants exactly one argument, a game id.
func oneGame(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s wants one GAME, got %d arguments", cmd.Name(), len(args))
	}
	return nil
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, got %q", cmd.Name(), args[0])
	}
	return nil
}
