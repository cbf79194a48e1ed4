package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
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
	case errors.Is(err, runtime.ErrConflict), errors.Is(err, operation.ErrBusy), errors.Is(err, operation.ErrRefused):
		return exitConflict
	case errors.Is(err, runtime.ErrNotFound):
		return exitNotFound
	case errors.Is(err, runtime.ErrUnavailable), errors.Is(err, node.ErrUnreachable), errors.Is(err, container.ErrEngineUnavailable):
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
    1  any other error; an operation that failed, because there is no such
       image, say, or the game did not come up; fsck: findings are left; list
       and history: damaged values were met, and drift: a node did not answer,
       after everything else was printed
    2  usage: an unknown verb or flag, a missing or bad value, a record or a
       transition that can never be accepted; nothing was changed
    3  conflict: the record is not as expected, by status, container or
       revision; the message says what stands instead; or an operation that does
       not fit what the game is, or that has to wait for another one
    4  there is no record of this game
    5  the daemon, the store behind it, the game's node or its engine could not
       be reached
  124  --timeout ran out first; an operation goes on all the same
  130  interrupted, which is how a watch normally ends; an operation goes on

A script can act on it:

  rtmanager set-status game-1 --from running --to stopped
  case $? in
    0) echo stopped ;;
    3) echo "somebody else was faster" ;;
    4) echo "no such game" ;;
  esac`,
	}
}
