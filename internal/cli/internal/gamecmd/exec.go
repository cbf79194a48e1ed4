package gamecmd

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/domain/container"
)

type execFlags struct{ hasInput, hasTerminal bool }

func (c commands) execCommand() *cobra.Command {
	var flags execFlags
	cmd := &cobra.Command{
		Use:   "exec GAME [-i] [-t] -- COMMAND [ARGUMENT…]",
		Short: "Run a command in a running game",
		Long: `Exec runs a command in the container of a game, on its node: the daemon forwards the
request. With -i the command reads standard input, and with -t it runs on a terminal of
the size of this one; both together run a shell.

With Docker the command runs in the container of the game, as its user: the program must
be in the image. With the process engine it is a process of the daemon's user next to the
game, with the variables, the directory and the limits of the game, and no isolation.

The command ends when this program ends, when the game exits, and after 30 minutes without
input and output. Docker has no call that ends a command: a daemon that may not signal the
processes of the engine can only end its input.

The exit code is that of the command: 127 if the program does not exist, 126 if it cannot be
executed. Errors of rtmanager itself have the codes of "rtmanager help exit-codes", as
kubectl does it: for those, standard error has a line that starts with "rtmanager:".

It needs the role executor or admin. The audit log records the command, without its input
and output. On a terminal without -t, control characters other than colors are replaced.`,
		Example: `  rtmanager exec game-1 -- cat /etc/hosts
  rtmanager exec game-1 -it -- sh
  tar c maps | rtmanager exec game-1 -i -- tar x`,
		ValidArgsFunction: c.CompleteGame,
	}
	cmd.Flags().BoolVarP(&flags.hasInput, "stdin", "i", false, "pass standard input to the command")
	cmd.Flags().BoolVarP(&flags.hasTerminal, "tty", "t", false, "run the command on a terminal; standard input should be one too")
	cmd.Args = requireGameAndCommand
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		gameID, err := c.SelectGame(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		c.RemoveTimeout(cmd) // a command can take long
		return c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
			return c.runExec(ctx, client, gameID, args[1:], flags)
		})
	})
	return cmd
}

// requireGameAndCommand requires a game, and a command after "--".
func requireGameAndCommand(cmd *cobra.Command, args []string) error {
	switch dash := cmd.ArgsLenAtDash(); {
	case len(args) < 2:
		return errors.New("exec requires a GAME and a COMMAND, as in: rtmanager exec game-1 -- ls -l")
	case dash != 1:
		return errors.New(`exec requires "--" between GAME and COMMAND, as in: rtmanager exec game-1 -- ls -l`)
	}
	return nil
}

// runExec runs the command. A command with another exit code than 0 is an error without a text.
func (c commands) runExec(ctx context.Context, client *httpclient.Client, gameID string, args []string, flags execFlags) error {
	command := container.Command{Args: args, Stdout: c.Out, Stderr: c.Err, HasTerminal: flags.hasTerminal}
	if flags.hasInput {
		command.Stdin = c.In
	}
	if flags.hasTerminal {
		restore, err := c.openTerminal(ctx, &command)
		if err != nil {
			return err
		}
		defer restore()
	} else if c.IsTerminal {
		terminal := &terminalWriter{out: c.Out}
		defer terminal.flush()
		command.Stdout = terminal
	}
	code, err := client.Exec(ctx, gameID, command)
	switch {
	case err != nil:
		return err
	case code != 0:
		return exit.CodeError{Err: exit.ErrNegative, Code: code}
	}
	return nil
}

// openTerminal makes standard input raw, so that every key reaches the command, and sends the size of the
// terminal when it changes. Without a terminal the command still gets one.
func (c commands) openTerminal(ctx context.Context, command *container.Command) (restore func(), err error) {
	file, isFile := c.In.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) {
		fmt.Fprintln(c.Err, "warning: standard input is not a terminal; the command gets one of the default size")
		return func() {}, nil
	}
	descriptor := int(file.Fd())
	sizes := make(chan container.TerminalSize, 1)
	command.Sizes = sizes
	ctx, cancel := context.WithCancel(ctx)
	go watchSize(ctx, descriptor, sizes)
	if command.Stdin == nil {
		return cancel, nil
	}
	state, err := term.MakeRaw(descriptor)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("make the terminal raw: %w", err)
	}
	return func() {
		cancel()
		_ = term.Restore(descriptor, state)
	}, nil
}

// watchSize sends the size of the terminal at first and when it changes, until ctx ends.
func watchSize(ctx context.Context, descriptor int, sizes chan<- container.TerminalSize) {
	changes, stop := notifySizeChanges()
	defer stop()
	for {
		if width, height, err := term.GetSize(descriptor); err == nil && width > 0 && height > 0 {
			select {
			case sizes <- container.TerminalSize{Width: uint16(min(width, 1<<16-1)), Height: uint16(min(height, 1<<16-1))}:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return
		}
	}
}
