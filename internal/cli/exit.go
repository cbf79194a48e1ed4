package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/domain/runtime"
)

// The exit codes; scripts rely on them.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitConflict    = 3
	exitNotFound    = 4
	exitUnreachable = 5
	exitTimedOut    = 124
	exitInterrupted = 130
)

func exitCode(err error) int {
	var usage usageError
	switch {
	case errors.As(err, &usage), errors.Is(err, runtime.ErrInvalid), errors.Is(err, runtime.ErrInvalidTransition):
		return exitUsage
	case errors.Is(err, runtime.ErrConflict):
		return exitConflict
	case errors.Is(err, runtime.ErrNotFound):
		return exitNotFound
	case errors.Is(err, runtime.ErrUnavailable):
		return exitUnreachable
	case errors.Is(err, context.DeadlineExceeded):
		return exitTimedOut
	}
	return exitError
}

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `The exit code says how a command ended:

    0  it did what it was asked
    1  any other error; fsck: findings are left; list and history: damaged
       values were met, after everything that could be read was printed
    2  usage: an unknown verb or flag, a missing or bad value, a record or a
       transition that can never be accepted; nothing was changed
    3  conflict: the record is not as expected, by status, container or
       revision; the message says what stands instead
    4  there is no record of this game
    5  the daemon, or the store behind it, could not be reached
  124  --timeout ran out first
  130  interrupted, which is how a watch normally ends

A script can act on it:

  rtmanager set-status game-1 --from running --to stopped
  case $? in
    0) echo stopped ;;
    3) echo "somebody else was faster" ;;
    4) echo "no such game" ;;
  esac`,
	}
}
