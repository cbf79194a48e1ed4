package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/selection"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// present are the statuses of games that have a container.
var present = []runtime.Status{runtime.StatusRunning, runtime.StatusStopped}

// preparePlain prepares operations that have no flags of their own.
func preparePlain(kind operation.Kind) func(*cobra.Command, []string) (newOperation, error) {
	return func(*cobra.Command, []string) (newOperation, error) {
		return newRequest(ports.OperationRequest{Kind: kind}), nil
	}
}

// newRequest returns a function that creates the same operation for every game.
func newRequest(request ports.OperationRequest) newOperation {
	return func(_ context.Context, gameID string) (httpclient.Operation, error) {
		o := httpclient.Operation{OperationRequest: request}
		o.GameID = gameID
		return o, nil
	}
}

func (a *app) stopCommand() *cobra.Command {
	var grace time.Duration
	var force bool
	cmd := &cobra.Command{
		Use:   "stop GAME...",
		Short: "Stop games",
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
  rtmanager stop game-1 --force
  rtmanager stop game-1 game-2 game-3
  rtmanager stop --region eu --max-parallel 20 --dry-run`,
	}
	cmd.Flags().DurationVar(&grace, "grace", 0, "`DURATION` in which the game may exit before it is killed (default: the stop grace of the game)")
	cmd.Flags().BoolVar(&force, "force", false, "kill the game at once")
	cmd.MarkFlagsMutuallyExclusive("grace", "force")
	return a.operationCommand(cmd, operationVerb{
		selection: selection.Verb{Statuses: present, IsDestructive: true}, accepts: present,
		prepare: func(cmd *cobra.Command, _ []string) (newOperation, error) {
			request := ports.OperationRequest{Kind: operation.KindStop}
			if force || cmd.Flags().Changed("grace") {
				request.StopGrace = &grace
			}
			if grace < 0 || grace > time.Duration(operation.MaxStopGrace) {
				return nil, &runtime.InvalidError{Field: "--grace", Reason: fmt.Sprintf("%s is not from 0s to %s", grace, time.Duration(operation.MaxStopGrace))}
			}
			return newRequest(request), nil
		},
	})
}

func (a *app) restartCommand() *cobra.Command {
	return a.operationCommand(&cobra.Command{
		Use:   "restart GAME...",
		Short: "Restart games",
		Long: `Restart stops the game and starts the same container with the same settings. It
returns when the game is healthy.`,
		Example: `  rtmanager restart game-1
  rtmanager restart game-1 --operation-id nightly-42   # safe to repeat
  rtmanager restart --node eu-1 --max-parallel 2 --yes`,
	}, operationVerb{
		selection: selection.Verb{Statuses: []runtime.Status{runtime.StatusRunning}, IsDestructive: true}, accepts: present,
		prepare: preparePlain(operation.KindRestart),
	})
}

func (a *app) cleanupCommand() *cobra.Command {
	return a.operationCommand(&cobra.Command{
		Use:   "cleanup GAME...",
		Short: "Remove the containers of stopped games",
		Long: `Cleanup removes the container of a stopped game and changes its record to removed. It
rejects a running game: stop it first. Start runs a removed game in a new container.`,
		Example: `  rtmanager stop game-1 && rtmanager cleanup game-1
  rtmanager cleanup --all --yes`,
	}, operationVerb{
		selection: selection.Verb{Statuses: []runtime.Status{runtime.StatusStopped}, IsDestructive: true},
		accepts:   []runtime.Status{runtime.StatusStopped, runtime.StatusRemoved},
		prepare:   preparePlain(operation.KindCleanup),
	})
}

func (a *app) patchCommand() *cobra.Command {
	var image string
	var force, pull bool
	cmd := &cobra.Command{
		Use:   "patch GAME... --image IMAGE",
		Short: "Change the image of games",
		Long: `Patch replaces the game's container by one of another image, which must have the
same major and minor version unless --force is given. If the game does not start with
the new image, the previous container is restored and patch exits with 1.

A patch to the image that the game has does nothing if the image is unchanged. If the
reference names another content now, because its tag was changed, or with --force or
--pull, the game gets a new container. A node does not notice by itself that a tag was
changed in a registry: --pull pulls the image in any case.

The command returns when the game is healthy with the new image.`,
		Example: `  rtmanager patch game-1 --image gameserver:1.0.1
  rtmanager patch game-1 --image gameserver:2.0.0 --force --reason "new season"
  rtmanager patch game-1 --image gameserver:latest --pull
  rtmanager patch --current-image gameserver:1.0.0 --image gameserver:1.0.1 --max-parallel 4 --yes`,
	}
	cmd.Flags().StringVar(&image, "image", "", "new `IMAGE`")
	cmd.Flags().BoolVar(&force, "force", false, "allow another major or minor version, or one that cannot be compared; replace the container also if the image is the same")
	cmd.Flags().BoolVar(&pull, "pull", false, "pull the image even if the node has it, and replace the container")
	_ = cmd.MarkFlagRequired("image")
	return a.operationCommand(cmd, operationVerb{
		selection: selection.Verb{Statuses: present, HasImage: true, IsDestructive: true}, accepts: present,
		prepare: func(*cobra.Command, []string) (newOperation, error) {
			if err := operation.ValidateImage(image); err != nil {
				return nil, flags.NameFlag(err, "--image")
			}
			return newRequest(ports.OperationRequest{Kind: operation.KindPatch, Image: image, Force: force, Pull: pull}), nil
		},
	})
}

func (a *app) moveCommand() *cobra.Command {
	var target string
	var force bool
	cmd := &cobra.Command{
		Use:   "move GAME... --to NODE",
		Short: "Move games to another node",
		Long: `Move runs games on another node with the same settings. The other node pulls the image and
creates a container first. Then the game is stopped on its node and started there, so it is
down for about as long as a restart takes, and never runs twice. If it does not start or
become healthy there, it is started on its former node, and move exits with 1.

NODE is REGION/NODE, or a node of the region of the game. A stopped game stays stopped. A
state directory stays on the former node. A cordoned node is rejected without --force.`,
		Example: `  rtmanager move game-1 --to eu-2
  rtmanager move game-1 --to us/us-1 --reason "closer to its players"
  rtmanager move --node eu-3 --to eu-4 --max-parallel 4 --yes`,
	}
	cmd.Flags().StringVar(&target, "to", "", "the `NODE` that is to run the games")
	cmd.Flags().BoolVar(&force, "force", false, "allow a cordoned node")
	_ = cmd.MarkFlagRequired("to")
	return a.operationCommand(cmd, operationVerb{
		selection: selection.Verb{Statuses: []runtime.Status{runtime.StatusRunning}, IsDestructive: true}, accepts: present,
		prepare: func(*cobra.Command, []string) (newOperation, error) {
			ref := node.Ref{Name: target}
			if strings.Contains(target, "/") {
				var err error
				if ref, err = node.ParseRef(target); err != nil {
					return nil, &runtime.InvalidError{Field: "--to", Reason: err.Error()}
				}
			}
			return newRequest(ports.OperationRequest{Kind: operation.KindMove, Target: &ref, Force: force}), nil
		},
	})
}
