package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/manifest"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/cli/internal/selection"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/ports"
)

func (a *app) startCommand() *cobra.Command {
	var specFlags flags.Spec
	var until startWait
	var pull bool
	cmd := &cobra.Command{
		Use:   "start GAME... [--image IMAGE] [-- ARGS…]",
		Short: "Start new, stopped or removed games",
		Long: `Start runs a game. The --image and other flags, or a file, are its settings. Without
any, the game keeps its previous settings. Otherwise they replace all of them: an
omitted image keeps its value, and any other omitted setting has its default.
Arguments after -- are passed to the game.

The command returns when the game is healthy; a game that does not start, or does not become
healthy, is an error. With --detach it returns when the daemon has accepted the start, which
"operation get" and "wait" then follow. A game that has no node yet is started on --node, or else on
the best node of --region, which defaults to the region of the daemon of --server: one
that has space for what the game requests, the labels of --node-selector, no taint without a
--toleration, the image, no recent failure, and the lowest share in use; with --placement pack
the highest. --dry-run explains the choice.

--regions names the regions in which to start the game if its node is lost, the preferred
one first. The region of the lost node comes before them: another of its nodes runs the game
if it can. It implies --on-node-lost reschedule, which alone keeps the game in its region.

--env-from-file stores the variables of a file encrypted, as the secret of the game, and
passes them to it; --secret passes those of another secret. --env takes precedence over
them. The secret of a game is deleted with the game.

The file of -f is YAML or JSON with the members of the API: image, args, env, port,
cpus, memory_bytes, health_path, crash and so on. Flags take precedence over it.`,
		Example: `  rtmanager start game-1 --image gameserver:1.0.0
  rtmanager start game-1 --image gameserver:1.0.0 --timeout 2m
  rtmanager start game-1 --image gameserver:1.0.0 --detach
  rtmanager start game-1 --image gameserver:1.0.0 --memory 256MiB --cpus 0.5 -- --healthy-after 2s
  rtmanager start game-1 --image gameserver:1.0.0 --crash-attempts 3 --on-node-lost reschedule
  rtmanager start game-1 --image gameserver:1.0.0 --region ap --regions eu,us
  rtmanager start game-1 --image gameserver:1.0.0 --node-selector disk=ssd --dry-run
  rtmanager start game-1 --image gameserver:1.0.0 --secret game-db --env-from-file game-1.env
  rtmanager start game-1 --image gameserver:1.0.0 --label env=prod --label mode=ranked
  rtmanager start game-1 --image gameserver:1.0.0 --metadata '{"match": {"seed": 17}}'
  rtmanager start game-1 -f game-1.yaml --region eu
  rtmanager start game-1                               # with its previous settings
  rtmanager start game-1 game-2 game-3 --image gameserver:1.0.0
  rtmanager start --all --status stopped               # every stopped game`,
	}
	specFlags.Bind(cmd)
	cmd.Flags().BoolVar(&pull, "pull", false, "pull the image even if the node has it, and create a new container unless the game runs")
	until.bind(cmd)
	return a.operationCommand(cmd, operationVerb{
		selection:    selection.Verb{Statuses: []runtime.Status{runtime.StatusStopped}, HasPlacement: true, HasImage: true},
		hasArguments: true,
		explain:      a.explainStart,
		prepare: func(cmd *cobra.Command, args []string) (newOperation, error) {
			request, err := a.readStartRequest(cmd, specFlags, args)
			if err != nil {
				return nil, err
			}
			request.pull = request.pull || pull
			if isDryRun, _ := cmd.Flags().GetBool("dry-run"); isDryRun {
				request.variables = nil // a dry run stores no secret
			}
			return func(ctx context.Context, gameID string) (httpclient.Operation, error) {
				return a.startOperation(ctx, request, gameID, until.state())
			}, nil
		},
	})
}

// startWait are the flags that determine when start returns.
type startWait struct{ isDetached, isWaiting bool }

func (w *startWait) bind(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&w.isDetached, "detach", "d", false, "return when the daemon has accepted the start")
	cmd.Flags().BoolVar(&w.isWaiting, "wait", true, "wait until the game is healthy; false waits until it is running")
	cmd.MarkFlagsMutuallyExclusive("detach", "wait")
}

// state returns the state to wait for.
func (w *startWait) state() httpclient.Wait {
	switch {
	case w.isDetached:
		return httpclient.WaitAccepted
	case w.isWaiting:
		return httpclient.WaitDone
	default:
		return httpclient.WaitRunning
	}
}

// explainStart prints on which node the game would be started, and why.
func (a *app) explainStart(ctx context.Context, client *httpclient.Client, o httpclient.Operation) error {
	ctx, cancel := context.WithTimeout(ctx, a.globals.readTimeout())
	defer cancel()
	found, err := client.ExplainStart(ctx, o)
	if httpclient.IsNotOffered(err) {
		return errNotExplained
	}
	if err != nil {
		return err
	}
	if err := a.printer().Placement(o.GameID, found); err != nil {
		return err
	}
	return found.Error()
}

// startOperation stores the secret of the game, if the request has one, and returns the operation
// that starts the game.
func (a *app) startOperation(ctx context.Context, request startRequest, gameID string, until httpclient.Wait) (httpclient.Operation, error) {
	spec := request.specOf(gameID)
	if request.variables != nil {
		if err := a.putGameSecret(ctx, gameID, request.variables); err != nil {
			return httpclient.Operation{}, err
		}
	}
	return httpclient.Operation{
		OperationRequest: ports.OperationRequest{GameID: gameID, Kind: operation.KindStart, Spec: spec, Labels: request.labels, Metadata: request.metadata, Pull: request.pull},
		Region:           request.region, Node: request.node, Until: until,
	}, nil
}

// startRequest is how and where a command line runs a game.
type startRequest struct {
	spec         *operation.Spec // nil keeps the previous one
	region, node string
	pull         bool
	labels       map[string]string // nil keeps those of the game
	metadata     runtime.Metadata  // empty keeps that of the game
	variables    secret.Values     // of --env-from-file; nil without
}

// specOf returns the spec of a game: that of the request, with the secret of the game if the
// request has variables.
func (r startRequest) specOf(gameID string) *operation.Spec {
	if r.spec == nil || r.variables == nil {
		return r.spec
	}
	spec := r.spec.Clone()
	if name := secret.OfGame(gameID); !slices.Contains(spec.Secrets, name) {
		spec.Secrets = append(spec.Secrets, name)
	}
	return &spec
}

// readStartRequest reads the file and the flags, and validates the spec.
func (a *app) readStartRequest(cmd *cobra.Command, specFlags flags.Spec, args []string) (startRequest, error) {
	if err := specFlags.CheckInput(); err != nil {
		return startRequest{}, exit.UsageError{Err: err}
	}
	var file api.StartRequest
	hasSpec := specFlags.File != ""
	if hasSpec {
		var err error
		if file, err = a.readSpec(specFlags.File); err != nil {
			return startRequest{}, err
		}
	}
	changed, err := specFlags.Apply(cmd, &file.Spec)
	if err != nil {
		return startRequest{}, err
	}
	if len(args) > 0 {
		file.Args, changed = args, true
	}
	variables, err := a.readGameSecret(specFlags)
	if err != nil {
		return startRequest{}, err
	}
	changed = changed || variables != nil
	labels, err := specFlags.Labels(file.Labels)
	if err != nil {
		return startRequest{}, err
	}
	metadata, err := a.readMetadata(metadataSource{text: specFlags.Metadata, textName: "--metadata", file: specFlags.MetadataFile, fileName: "--metadata-file"})
	if err != nil {
		return startRequest{}, err
	}
	region, name, err := splitNode(cmp.Or(specFlags.Region, file.Region), cmp.Or(specFlags.Node, file.Node))
	if err != nil {
		return startRequest{}, err
	}
	request := startRequest{labels: labels, metadata: cmp.Or(metadata, file.Metadata), variables: variables, pull: file.Pull, region: region, node: name}
	if !hasSpec && !changed {
		return request, nil
	}
	complete := file.Spec
	complete.Image = cmp.Or(complete.Image, "previous") // the daemon fills in the previous image
	if err := complete.Validate(); err != nil {
		return startRequest{}, flags.NameFlags(cmd, err)
	}
	request.spec = &file.Spec
	return request, nil
}

// splitNode returns the region and the name of a node that may be REGION/NODE.
func splitNode(region, name string) (string, string, error) {
	if !strings.Contains(name, "/") {
		return region, name, nil
	}
	ref, err := node.ParseRef(name)
	if err != nil {
		return "", "", exit.UsageError{Err: err}
	}
	if region != "" && region != ref.Region {
		return "", "", exit.UsageError{Err: fmt.Errorf("--node %s is not in --region %s", render.Value(name), render.Value(region))}
	}
	return ref.Region, ref.Name, nil
}

// readGameSecret returns the variables of --env-from-file, nil without the flag.
func (a *app) readGameSecret(specFlags flags.Spec) (secret.Values, error) {
	if specFlags.EnvFile == "" {
		return nil, nil
	}
	texts, err := a.readDotenv("--env-from-file", specFlags.EnvFile)
	if err != nil {
		return nil, err
	}
	values := secret.NewValues(texts)
	if err := values.Validate(); err != nil {
		return nil, flags.NameFlag(err, "--env-from-file")
	}
	return values, nil
}

// putGameSecret stores the secret of the game before the game is started. If the start fails,
// the secret remains, and the next start replaces it.
func (a *app) putGameSecret(ctx context.Context, gameID string, values secret.Values) error {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return err
	}
	return a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		_, err := client.PutSecret(ctx, secret.PutInput{Name: secret.OfGame(gameID), Values: values, Actor: a.userName()})
		return err
	})
}

func (a *app) readSpec(file string) (api.StartRequest, error) {
	text, err := a.readFile(file, "a description of how to run the game")
	if err != nil {
		return api.StartRequest{}, err
	}
	request, err := manifest.StartRequest(text)
	if err != nil {
		return api.StartRequest{}, exit.UsageError{Err: fmt.Errorf("%s: %w", sourceName(file), err)}
	}
	return request, nil
}
