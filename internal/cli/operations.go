package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// newPlainOperation creates an operation that has no flags of its own.
func newPlainOperation(kind operation.Kind) func(*cobra.Command, []string) (httpclient.Operation, error) {
	return func(_ *cobra.Command, args []string) (httpclient.Operation, error) {
		return httpclient.Operation{OperationRequest: ports.OperationRequest{GameID: args[0], Kind: kind}}, nil
	}
}

func (a *app) stopCommand() *cobra.Command {
	var grace time.Duration
	var force bool
	cmd := &cobra.Command{
		Use:   "stop GAME",
		Short: "Stop a game",
		Long: `Stop signals the game to exit and kills it after its stop grace. The container is
kept, so that start can resume it, until cleanup or, after some time, the daemon
removes it. Stopping a stopped game succeeds.

A stop preempts an operation in progress: a start, restart or patch is rolled back and
fails, and then the game is stopped. A stop in progress is cut short by a stop whose
--grace ends earlier, and by --force. Every other request for a game with an operation
in progress is rejected.

The command returns when the record is stopped.`,
		Example: `  rtmanager stop game-1
  rtmanager stop game-1 --reason "end of season" -o json
  rtmanager stop game-1 --grace 2s
  rtmanager stop game-1 --force`,
	}
	cmd.Flags().DurationVar(&grace, "grace", 0, "`DURATION` in which the game may exit before it is killed (default: the stop grace of the game)")
	cmd.Flags().BoolVar(&force, "force", false, "kill the game at once")
	cmd.MarkFlagsMutuallyExclusive("grace", "force")
	return a.operationCommand(cmd, func(cmd *cobra.Command, args []string) (httpclient.Operation, error) {
		request := ports.OperationRequest{GameID: args[0], Kind: operation.KindStop}
		if force || cmd.Flags().Changed("grace") {
			request.StopGrace = &grace
		}
		if grace < 0 || grace > time.Duration(operation.MaxStopGrace) {
			return httpclient.Operation{}, &runtime.InvalidError{Field: "--grace", Reason: fmt.Sprintf("%s is not from 0s to %s", grace, time.Duration(operation.MaxStopGrace))}
		}
		return httpclient.Operation{OperationRequest: request}, nil
	})
}

func (a *app) restartCommand() *cobra.Command {
	return a.operationCommand(&cobra.Command{
		Use:   "restart GAME",
		Short: "Restart a game",
		Long: `Restart stops the game and starts the same container with the same settings. It
returns when the game is healthy.`,
		Example: `  rtmanager restart game-1
  rtmanager restart game-1 --operation-id nightly-42   # safe to repeat`,
	}, newPlainOperation(operation.KindRestart))
}

func (a *app) cleanupCommand() *cobra.Command {
	return a.operationCommand(&cobra.Command{
		Use:   "cleanup GAME",
		Short: "Remove the container of a stopped game",
		Long: `Cleanup removes the container of a stopped game and changes its record to removed. It
rejects a running game: stop it first. Start runs a removed game in a new container.`,
		Example: `  rtmanager stop game-1 && rtmanager cleanup game-1`,
	}, newPlainOperation(operation.KindCleanup))
}

func (a *app) patchCommand() *cobra.Command {
	var image string
	var force bool
	cmd := &cobra.Command{
		Use:   "patch GAME --image IMAGE",
		Short: "Change the image of a game",
		Long: `Patch replaces the game's container by one of another image, which must have the
same major and minor version unless --force is given. If the game does not start with
the new image, the previous container is restored and patch exits with 1.

The command returns when the game is healthy with the new image.`,
		Example: `  rtmanager patch game-1 --image gameserver:1.0.1
  rtmanager patch game-1 --image gameserver:2.0.0 --force --reason "new season"`,
	}
	cmd.Flags().StringVar(&image, "image", "", "new `IMAGE`")
	cmd.Flags().BoolVar(&force, "force", false, "allow another major or minor version, or one that cannot be compared")
	_ = cmd.MarkFlagRequired("image")
	return a.operationCommand(cmd, func(_ *cobra.Command, args []string) (httpclient.Operation, error) {
		if err := operation.ValidateImage(image); err != nil {
			return httpclient.Operation{}, flags.NameFlag(err, "--image")
		}
		return httpclient.Operation{OperationRequest: ports.OperationRequest{GameID: args[0], Kind: operation.KindPatch, Image: image, Force: force}}, nil
	})
}
