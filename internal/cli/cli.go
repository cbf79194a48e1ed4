package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"galaxy/rtmanager/internal/cli/internal/accesscmd"
	"galaxy/rtmanager/internal/cli/internal/certcmd"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/cli/internal/storecmd"
)

// Streams are the input, output, environment and clock of the command line.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// LookupEnv reads the environment, like os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// Now is the clock for ages and for the times of transitions.
	Now func() time.Time
	// IsTerminal reports whether Out is a terminal. Only then statuses are colored and long
	// values are shortened.
	IsTerminal bool
	// Width returns the number of columns of the terminal Out, 0 if it is not known. It may be nil.
	Width func() int
	// IsErrTerminal reports whether Err is a terminal. Only then progress rewrites a line.
	IsErrTerminal bool
}

// SystemStreams returns the streams, environment and clock of this process.
func SystemStreams() Streams {
	return Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, LookupEnv: os.LookupEnv, Now: time.Now,
		IsTerminal: term.IsTerminal(int(os.Stdout.Fd())), IsErrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		Width: func() int {
			columns, _, err := term.GetSize(int(os.Stdout.Fd()))
			if err != nil {
				return 0
			}
			return columns
		},
	}
}

// Main runs one command line, without the program's name, and returns its exit code. It
// returns soon after ctx ends, which means an interrupt.
func Main(ctx context.Context, args []string, streams Streams) int {
	a := &app{streams: streams}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	cmd, err := root.ExecuteContextC(ctx)
	var write exit.WriteError
	switch {
	case err == nil:
		return exit.OK
	case errors.Is(err, exit.ErrNegative):
		return exit.Code(err)
	case !a.hasStarted:
		// No command has run, so the command line itself is invalid.
		err = exit.UsageError{Err: unknownCommandError(root, rewordUsage(cmd, err)), See: cmd.CommandPath()}
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		// The user knows of the interrupt, but not of the outcome of a write.
		if errors.As(err, &write) {
			a.reporter().Report(err)
		}
		return exit.Interrupted
	}
	a.reporter().Report(err)
	return exit.Code(err)
}

// app is one run of the command line.
type app struct {
	streams      Streams
	globals      globals
	hasStarted   bool       // a command has started to run
	usesNoDaemon bool       // the command connects to no daemon
	acceptedMu   sync.Mutex // serializes the output of detached operations
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "rtmanager",
		Short: "Run games, and keep a record of each game's runtime",
		Long: `rtmanager runs one container per game and keeps one linearizable runtime record
per game. Records change by compare-and-swap, and every change is streamed to
watchers.

"rtmanager serve" runs the daemon with everything it needs; the other commands
connect to a daemon.`,
		Example: `  rtmanager serve                                      # the daemon, on 127.0.0.1:8080
  rtmanager start game-1 --image gameserver:1.0.0      # run a game
  rtmanager list --status running
  rtmanager explain game-1                             # its state and history
  rtmanager logs game-1 -f
  rtmanager watch                                      # stream every change`,
		Version:           clientBuild().Version,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetVersionTemplate("rtmanager {{.Version}}\n")
	a.globals.bind(root, a.streams)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand())
	root.AddCommand(
		a.serveCommand(), a.readAt(a.listCommand()), a.readAt(a.getCommand()), a.putCommand(), a.setStatusCommand(),
		a.startCommand(), a.stopCommand(), a.restartCommand(), a.patchCommand(), a.cleanupCommand(), a.labelCommand(), a.metadataCommand(), a.moveCommand(), a.deleteCommand(),
		a.applyCommand(), a.diffCommand(),
		a.readAt(a.explainCommand()), a.nodesCommand(), a.storesCommand(), a.driftCommand(), a.secretCommand(),
		a.watchCommand(), a.readAt(a.historyCommand()), a.readAt(a.fsckCommand()),
		a.loginCommand(), a.logoutCommand(), a.clusterCommand(),
		a.contextCommand(), a.versionCommand(), a.completionCommand(), a.manCommand(),
		exitCodesTopic(), storesTopic(), labelsTopic(), outputTopic(),
	)
	root.AddCommand(a.gameCommands()...)
	root.AddCommand(accesscmd.Commands(a.host())...)
	root.AddCommand(storecmd.Commands(a.host())...)
	root.AddCommand(certcmd.Command(a.host()))
	root.AddCommand(a.maintenanceCommands()...)
	root.AddCommand(a.rolloutCommand())
	bindSuggestions(root)
	groupCommands(root)
	a.completer().Bind(root)
	rejectUnknownCommands(root)
	shortenDefaults(root)
	return root
}

// groupCommands lists the commands that change only records after all others: a node corrects
// the records of its games.
func groupCommands(root *cobra.Command) {
	const main, records = "main", "records"
	root.AddGroup(&cobra.Group{ID: main, Title: "Available Commands:"}, &cobra.Group{ID: records, Title: "Commands for the records of games that no node manages:"})
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "put", "set-status":
			cmd.GroupID = records
		default:
			cmd.GroupID = main
		}
	}
	root.SetHelpCommandGroupID(main)
}

// shortenDefaults removes the zero minutes and seconds of default durations in the help, such
// as those of 720h0m0s.
func shortenDefaults(cmd *cobra.Command) {
	shorten := func(f *pflag.Flag) {
		if f.Value.Type() == "duration" && strings.HasSuffix(f.DefValue, "m0s") {
			f.DefValue = strings.TrimSuffix(strings.TrimSuffix(f.DefValue, "0s"), "h0m")
			if !strings.HasSuffix(f.DefValue, "m") {
				f.DefValue += "h"
			}
		}
	}
	cmd.Flags().VisitAll(shorten)
	cmd.PersistentFlags().VisitAll(shorten)
	for _, sub := range cmd.Commands() {
		shortenDefaults(sub)
	}
}

// runE returns the RunE function of a command. It checks the flags that all commands
// share, and adds the command and its arguments to every error.
func (a *app) runE(run func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := errors.Join(a.globals.validate(cmd), rejectEmptyFlags(cmd)); err != nil {
			return err
		}
		a.hasStarted = true
		if err := run(cmd, args); err != nil {
			if named := (*commandError)(nil); errors.As(err, &named) {
				return err
			}
			return newCommandError(append([]string{commandName(cmd)}, render.Args(args)...), err)
		}
		return nil
	}
}

// commandName returns the words that select a command, without the program's name, such as
// "token list".
func commandName(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

// rejectEmptyFlags rejects an empty flag value, which usually comes from an unset variable
// of a script. Without the error, the command would run without a precondition or filter.
// Only a reason may be empty. Package config validates the settings of serve.
func rejectEmptyFlags(cmd *cobra.Command) error {
	if cmd.Name() == "serve" {
		return nil
	}
	var errs []error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if (f.Value.Type() == "string" || f.Value.Type() == flags.FilterType) && f.Value.String() == "" && f.Name != "reason" {
			errs = append(errs, fmt.Errorf("--%s is empty; give it a value or omit it", f.Name))
		}
	})
	return errors.Join(errs...)
}

func (a *app) printer() *output.Printer {
	width := 0
	if a.streams.IsTerminal && a.streams.Width != nil {
		width = a.streams.Width()
	}
	return &output.Printer{
		Width: width,
		Out:   a.streams.Out, Err: a.streams.Err, Format: output.Format(a.globals.output),
		IsTerminal: a.streams.IsTerminal, HasColor: a.globals.hasColor(), NoHeaders: a.globals.noHeaders, Now: a.streams.Now,
	}
}

func (a *app) reporter() exit.Reporter {
	return exit.Reporter{
		Out: a.streams.Err, Now: a.streams.Now, Server: redactServers(a.globals.server), Timeout: a.globals.timeout, UsesNoDaemon: a.usesNoDaemon,
	}
}

// userName returns the name of the user, the actor of writes. It may be empty.
func (a *app) userName() string {
	user, _ := a.streams.LookupEnv("USER")
	return user
}

// printMessagef prints a message of a command to standard error.
func (a *app) printMessagef(cmd, format string, args ...any) {
	fmt.Fprintf(a.streams.Err, "rtmanager: %s: %s\n", cmd, fmt.Sprintf(format, args...))
}

// requireOneGame requires exactly one argument, a game id.
func requireOneGame(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s requires one GAME, got %d arguments", cmd.Name(), len(args))
	}
	return nil
}

func requireNoArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, got %q", cmd.Name(), args[0])
	}
	return nil
}
