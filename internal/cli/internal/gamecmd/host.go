// Package gamecmd has the commands that look inside a running game, and at its operations.
package gamecmd

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/output"
)

// Host is what the commands use of the command line. All fields are required.
type Host struct {
	// In is the input of commands in games.
	In io.Reader
	// Out receives results, and Err messages.
	Out, Err io.Writer
	// IsTerminal reports whether Out is a terminal, which the output of games must not control.
	IsTerminal bool
	// RunE returns the RunE function of a command.
	RunE func(run func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error
	// SelectGame returns the id of the game of an argument, and selects its store.
	SelectGame func(ctx context.Context, argument string) (gameID string, err error)
	// SelectGames returns the ids of the games of arguments, and selects their store.
	SelectGames func(ctx context.Context, arguments []string) (games []string, err error)
	// CompleteGame completes the id of a game, and CompleteGames those of several.
	CompleteGame, CompleteGames cobra.CompletionFunc
	// CallDaemon calls use with a client of the daemon, within the timeout of one request.
	CallDaemon func(ctx context.Context, use func(context.Context, *httpclient.Client) error) error
	// Printer returns the printer of results.
	Printer func() *output.Printer
	// UserName returns the name of the user, the actor of changes. It may be empty.
	UserName func() string
	// RemoveTimeout removes the timeout of one request unless the user has given one.
	RemoveTimeout func(cmd *cobra.Command)
}

// Commands returns the commands.
func Commands(host Host) []*cobra.Command {
	c := commands{host}
	return []*cobra.Command{c.logsCommand(), c.eventsCommand(), c.execCommand(), c.statsCommand(), c.operationsCommand(), c.operationCommand(), c.waitCommand()}
}

type commands struct{ Host }

// requireOneGame requires exactly one argument, a game id.
func requireOneGame(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s requires one GAME, got %d arguments", cmd.Name(), len(args))
	}
	return nil
}
