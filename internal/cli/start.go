package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

func (a *app) startCommand() *cobra.Command {
	var flags specFlags
	var wait bool
	cmd := &cobra.Command{
		Use:   "start GAME [--image IMAGE] [-- ARGS…]",
		Short: "Start a game, for the first time or again",
		Long: `Start runs a game. With --image, other flags or a file it says how; what is left
out is as before, or the default, and a game that is started again as it was
needs none of them. What comes after -- are arguments of the game.

It returns as soon as the record says running, and with --wait when the game is
healthy; a game that does not come up is an error either way only if that shows
before it returns. A game that has no node yet is started on --node, or else on
the daemon that is asked, or on the node that has the fewest games.

A file with -f is YAML or JSON with the members of the API: image, args, env,
port, cpus, memory_bytes, health_path, crash and so on. Flags win over it.`,
		Example: `  rtmanager start game-1 --image gameserver:1.0.0
  rtmanager start game-1 --image gameserver:1.0.0 --wait --timeout 2m
  rtmanager start game-1 --image gameserver:1.0.0 --memory 256MiB --cpus 0.5 -- --map dust
  rtmanager start game-1 --image gameserver:1.0.0 --crash-attempts 3 --on-node-lost reschedule
  rtmanager start game-1 -f game-1.yaml --region eu
  rtmanager start game-1                               # again, as it was`,
		Args: startArguments,
	}
	flags.bind(cmd)
	cmd.Flags().BoolVar(&wait, "wait", false, "return when the game is healthy, not as soon as it runs")
	return a.operationCommand(cmd, func(cmd *cobra.Command, args []string) (httpclient.Operation, error) {
		spec, err := a.startRequest(cmd, flags, args[1:])
		if err != nil {
			return httpclient.Operation{}, err
		}
		o := httpclient.Operation{
			OperationRequest: ports.OperationRequest{GameID: args[0], Kind: operation.KindStart, Spec: spec.Spec},
			Region:           spec.region, Node: spec.node, Until: httpclient.WaitRunning,
		}
		if wait {
			o.Until = httpclient.WaitDone
		}
		return o, nil
	})
}

// startArguments wants one game, and the game's own arguments behind a --. A game
// whose id begins with a dash may stand behind it too.
func startArguments(cmd *cobra.Command, args []string) error {
	dash := cmd.ArgsLenAtDash()
	if dash < 0 {
		dash = len(args)
	}
	if len(args) == 0 || dash > 1 {
		return fmt.Errorf("start wants one GAME, got %d arguments; arguments of the game come after --", min(dash, len(args)))
	}
	return nil
}

// startPlan is what a command line says of how and where a game is to be run.
type startPlan struct {
	*operation.Spec // nil: as before

	region, node string
}

// startRequest reads the file and the flags, and refuses what could never be run.
func (a *app) startRequest(cmd *cobra.Command, flags specFlags, args []string) (startPlan, error) {
	var from api.StartRequest
	given := flags.file != ""
	if given {
		if err := a.readSpec(flags.file, &from); err != nil {
			return startPlan{}, err
		}
	}
	changed, err := flags.over(cmd, &from.Spec)
	if err != nil {
		return startPlan{}, err
	}
	if len(args) > 0 {
		from.Args, changed = args, true
	}
	plan := startPlan{region: from.Region, node: from.Node}
	if flags.region != "" {
		plan.region = flags.region
	}
	if flags.node != "" {
		plan.node = flags.node
	}
	if !given && !changed {
		return plan, nil
	}
	checked := from.Spec
	if checked.Image == "" {
		checked.Image = "as-before"
	}
	if err := checked.Validate(); err != nil {
		return startPlan{}, flagFaults(cmd, err)
	}
	plan.Spec = &from.Spec
	return plan, nil
}

// readSpec reads the one document of a file.
func (a *app) readSpec(file string, into *api.StartRequest) error {
	text, err := a.readFile(file, "how to run the game")
	if err != nil {
		return err
	}
	documents, err := splitDocuments(text)
	switch {
	case err != nil:
	case len(documents) != 1:
		err = fmt.Errorf("holds %d documents; it takes one, with image and so on", len(documents))
	case documents[0].Kind() != '{':
		err = errors.New("wants an object with image and so on, not " + kindName(documents[0].Kind()))
	default:
		err = decodeStrict(documents[0], into)
	}
	if err != nil {
		return usageError{err: fmt.Errorf("%s: %w", sourceName(file), err)}
	}
	return nil
}
