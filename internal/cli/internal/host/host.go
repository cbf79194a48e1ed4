// Package host is what the packages of commands use of the command line.
package host

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/output"
)

// Host is what commands use of the command line. All fields are required.
type Host struct {
	In io.Reader
	// Out receives results, and Err messages.
	Out, Err io.Writer
	// IsTerminal and IsErrTerminal report whether Out and Err are terminals.
	IsTerminal, IsErrTerminal bool
	// Now is the clock for ages.
	Now func() time.Time
	// LookupEnv reads the environment, like os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// Version is the version of this program.
	Version string

	// RunE returns the RunE function of a command.
	RunE func(run func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error
	// CallDaemon calls use with a client of the daemon, within the timeout of one request.
	CallDaemon func(ctx context.Context, use func(context.Context, *httpclient.Client) error) error
	// SetTimeout sets that timeout; 0 means none.
	SetTimeout func(timeout time.Duration)
	// UseNoDaemon reports that the command connects to no daemon, so that errors have no hints about
	// one.
	UseNoDaemon func()
	// Printer returns the printer of results.
	Printer func() *output.Printer
	// UserName returns the name of the user, the actor of changes. It may be empty.
	UserName func() string
	// CompleteGame completes the id of a game.
	CompleteGame cobra.CompletionFunc
}

// PrintMessagef prints a message of a command to Err.
func (h Host) PrintMessagef(cmd, format string, args ...any) {
	_, _ = fmt.Fprintf(h.Err, "rtmanager: %s: %s\n", cmd, fmt.Sprintf(format, args...))
}

// RequireNoArguments is the Args function of a command without arguments.
func RequireNoArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, got %q", cmd.Name(), args[0])
	}
	return nil
}
