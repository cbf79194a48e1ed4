package cli

import (
	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

// planOf is the plan of an operation that has no flags of its own.
func planOf(kind operation.Kind) func(*cobra.Command, []string) (httpclient.Operation, error) {
	return func(_ *cobra.Command, args []string) (httpclient.Operation, error) {
		return httpclient.Operation{OperationRequest: ports.OperationRequest{GameID: args[0], Kind: kind}}, nil
	}
}

func (a *app) stopCommand() *cobra.Command {
	return a.operationCommand(&cobra.Command{
		Use:   "stop GAME",
		Short: "Stop a game",
		Long: `Stop asks the game to exit, waits for its stop grace, and then kills it. Its
container is kept, so that start resumes it, until cleanup removes it, or the
daemon after a while. A game that is stopped already is fine.

It returns when the record says stopped. Interrupted, it leaves the operation
to go on.`,
		Example: `  rtmanager stop game-1
  rtmanager stop game-1 --reason "end of season" -o json`,
	}, planOf(operation.KindStop))
}

func (a *app) restartCommand() *cobra.Command {
	return a.operationCommand(&cobra.Command{
		Use:   "restart GAME",
		Short: "Stop a game and start it again",
		Long: `Restart stops the game and starts the same container again, with the settings
that it has. It returns when the game is healthy.`,
		Example: `  rtmanager restart game-1
  rtmanager restart game-1 --operation-id nightly-42   # safe to repeat`,
	}, planOf(operation.KindRestart))
}

func (a *app) cleanupCommand() *cobra.Command {
	return a.operationCommand(&cobra.Command{
		Use:   "cleanup GAME",
		Short: "Remove the container of a stopped game",
		Long: `Cleanup removes the container of a game that is stopped, and moves its record to
removed. A game that runs is refused: stop it first. Start brings a removed game
back with a new container.`,
		Example: `  rtmanager stop game-1 && rtmanager cleanup game-1`,
	}, planOf(operation.KindCleanup))
}

func (a *app) patchCommand() *cobra.Command {
	var image string
	var force bool
	cmd := &cobra.Command{
		Use:   "patch GAME --image IMAGE",
		Short: "Run a game with another image",
		Long: `Patch gives the game a container of another image, which has to be of the same
major and minor version unless --force is given. A game that does not come up
with the new image gets its old container back, and patch exits with 1.

It returns when the game is healthy with the new image.`,
		Example: `  rtmanager patch game-1 --image gameserver:1.0.1
  rtmanager patch game-1 --image gameserver:2.0.0 --force --reason "new season"`,
	}
	cmd.Flags().StringVar(&image, "image", "", "the `IMAGE` to change to")
	cmd.Flags().BoolVar(&force, "force", false, "take another major or minor version too, or one that cannot be compared")
	_ = cmd.MarkFlagRequired("image")
	return a.operationCommand(cmd, func(_ *cobra.Command, args []string) (httpclient.Operation, error) {
		if err := operation.ValidateImage(image); err != nil {
			return httpclient.Operation{}, underFlag(err, "--image")
		}
		return httpclient.Operation{OperationRequest: ports.OperationRequest{GameID: args[0], Kind: operation.KindPatch, Image: image, Force: force}}, nil
	})
}
