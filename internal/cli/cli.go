// Package cli is the command line of rtmanager: one verb a file, on top of the
// REST client, and serve, which runs the daemon. Data goes to standard output,
// talk to standard error, and the exit code says how it ended.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
	// ErrTerminal reports whether Err is: only then is a line on it rewritten.
	ErrTerminal bool
}

// SystemStreams returns the streams, environment and clock of this process.
func SystemStreams() Streams {
	return Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, LookupEnv: os.LookupEnv, Now: time.Now,
		Terminal: term.IsTerminal(int(os.Stdout.Fd())), ErrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
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
	var write writeError
	switch {
	case err == nil:
		return exitOK
	case !a.started:
		// Nothing ran yet, so what is wrong is the command line itself.
		err = usageError{err: err, see: cmd.CommandPath()}
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		// Whoever interrupts knows that, but not what became of a write.
		if errors.As(err, &write) {
			a.report(err)
		}
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
	daemon  bool // this process is one, so hints about another do not apply
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "rtmanager",
		Short: "Run games, and remember what each game's runtime is doing",
		Long: `rtmanager runs one container per game, keeps one linearizable runtime record of
each, moves it through its life by compare-and-swap, and tells every change to
whoever watches.

"rtmanager serve" runs the daemon with everything it needs; the other verbs
talk to a daemon.`,
		Example: `  rtmanager serve                                      # the daemon, on 127.0.0.1:8080
  rtmanager start game-1 --image gameserver:1.0.0      # run a game
  rtmanager list --status running
  rtmanager explain game-1                             # what it is doing, and why
  rtmanager put -f game.yaml                           # insert or overwrite a record
  rtmanager set-status game-1 --from running --to stopped
  rtmanager watch                                      # every change, as it happens`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	a.globals.bind(root, a.streams)
	root.SetHelpCommand(helpCommand())
	root.AddCommand(
		a.serveCommand(), a.listCommand(), a.getCommand(), a.putCommand(), a.setStatusCommand(),
		a.startCommand(), a.stopCommand(), a.restartCommand(), a.patchCommand(), a.cleanupCommand(),
		a.explainCommand(), a.nodesCommand(), a.driftCommand(),
		a.watchCommand(), a.historyCommand(), a.fsckCommand(), a.benchCommand(), a.versionCommand(), a.completionCommand(),
		exitCodesTopic(),
	)
	return root
}

// verb makes a function the body of a command: it checks the flags that all
// verbs share, and names the command and its game in every error.
func (a *app) verb(body func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := errors.Join(a.globals.check(), noEmptyFlags(cmd)); err != nil {
			return err
		}
		a.started = true
		if err := body(cmd, args); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(append([]string{cmd.Name()}, plainAll(args)...), " "), err)
		}
		return nil
	}
}

// noEmptyFlags refuses a flag that is given as an empty text. That is a script's
// unset variable, and taken for "not given" it would drop a guard or a filter in
// silence. Only a reason may be empty; serve's settings have their own rules.
func noEmptyFlags(cmd *cobra.Command) error {
	if cmd.Name() == "serve" {
		return nil
	}
	var faults []error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" && f.Name != "reason" {
			faults = append(faults, fmt.Errorf("--%s is empty; give it a value or leave it out", f.Name))
		}
	})
	return errors.Join(faults...)
}

// helpCommand is cobra's, but for an error where there is nothing to tell.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [VERB]",
		Short: "Tell about a verb or a topic",
		Long:  "Help tells about a verb or a topic, as --help does.",
		Example: `  rtmanager help set-status
  rtmanager help exit-codes`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			var verbs []string
			for _, verb := range cmd.Root().Commands() {
				if len(args) == 0 && strings.HasPrefix(verb.Name(), begun) && (verb.IsAvailableCommand() || verb.IsAdditionalHelpTopicCommand()) {
					verbs = append(verbs, cobra.CompletionWithDesc(verb.Name(), verb.Short))
				}
			}
			return verbs, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return fmt.Errorf("help is about one verb or topic, got %q", args)
			}
			about.InitDefaultHelpFlag() // or the help would not list it
			return about.Help()
		},
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
