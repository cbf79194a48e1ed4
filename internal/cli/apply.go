package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/manifest"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/selection"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type applyFlags struct {
	files                             []string
	parallel                          int
	isDryRun, isForced, wait, isQuiet bool
	origin                            flags.Origin
	prune                             pruneFlags
}

// manifestHelp describes the files of apply and diff.
const manifestHelp = `A file has YAML documents or JSON values. Each is a game, a list of games, or an object
with such a list as items. A game has these members:

  game_id          its id
  spec             how to run it: image, args, env, cpus, memory_bytes, health_path, crash
                   and so on, as in the file of start -f; an omitted member has its default
  desired_status   running, the default, or stopped
  labels           all its labels; without this member it keeps those that it has
  metadata         a JSON object, all its metadata; without this member it keeps what it has
  region, node     where to start it if it has no node`

func (a *app) applyCommand() *cobra.Command {
	var flags applyFlags
	cmd := &cobra.Command{
		Use:   "apply -f FILE|DIR",
		Short: "Make games as files describe them",
		Long: `Apply reads games from files, and does for each what is necessary so that it is as
described, which may be nothing:

  created      the game is new or was removed, and is started
  configured   its settings or its status have changed: it is patched, started or stopped
  unchanged    it is as described already, or is new and its desired status is stopped:
               such a game has no record until it is started

A change of the image, arguments, environment, limits, ports or secrets runs the game in a
new container; the previous one is restored if the game does not start. A change of the
health check and of the policies for stops, crashes and lost nodes needs no restart.
Another major or minor version of the image requires --force.

Apply prints a line for each game and a summary, and acts on --max-parallel games at a
time. If some games fail, the others are applied nevertheless, and the exit code is the
highest code of all failures. Apply can be repeated; games that are as described are not
changed. It does nothing with games that the files do not contain, except with --prune: then
the games that match the selector -l, and that no file contains, are stopped and removed
after all others were applied without a failure. Their records stay until they are deleted.
Prune requires confirmation.

A game has been applied when its record is running or stopped, and with --wait when it is
healthy.

` + manifestHelp + `

The command get prints such a file of games that exist; see the examples.`,
		Example: `  rtmanager apply -f games/
  rtmanager apply -f game-1.yaml -f game-2.yaml --dry-run
  rtmanager apply -f lobby/ --prune -l app=lobby --dry-run
  rtmanager get --all --spec -o yaml > games.yaml
  rtmanager apply -f games.yaml --server http://other:8080
  generate-games | rtmanager apply -f - --max-parallel 20 --wait`,
		Args: requireNoArguments,
	}
	bindManifests(cmd, &flags.files)
	selection.BindRun(cmd, &flags.parallel)
	cmd.Flags().BoolVar(&flags.isDryRun, "dry-run", false, "only print what would be done with each game")
	cmd.Flags().BoolVar(&flags.isForced, "force", false, "allow images of another major or minor version, or whose version cannot be compared")
	cmd.Flags().BoolVar(&flags.wait, "wait", false, "wait until each game is healthy, not only running")
	cmd.Flags().BoolVarP(&flags.isQuiet, "quiet", "q", false, "do not print the summary unless a game has failed")
	flags.origin.Bind(cmd)
	flags.prune.bind(cmd, true)
	cmd.RunE = a.runE(func(cmd *cobra.Command, _ []string) error {
		if !cmd.Flags().Changed("timeout") {
			a.globals.timeout = 0
		}
		return a.apply(cmd.Context(), flags)
	})
	return cmd
}

// bindManifests declares the flag of the files that describe games.
func bindManifests(cmd *cobra.Command, files *[]string) {
	cmd.Flags().StringArrayVarP(files, "filename", "f", nil, "`FILE` or directory that describes games, - for standard input; repeatable")
	_ = cmd.MarkFlagRequired("filename")
}

func (a *app) apply(ctx context.Context, flags applyFlags) error {
	if err := flags.origin.Validate(); err != nil {
		return err
	}
	if err := selection.ValidateParallel(flags.parallel); err != nil {
		return err
	}
	if err := flags.prune.validate(); err != nil {
		return err
	}
	games, err := a.readGames(flags.files)
	if err != nil {
		return err
	}
	return a.withClient(httpclient.Config{WriteTimeout: outcomeTimeout}, func(client *httpclient.Client) error {
		changes, err := a.changesOf(ctx, client, games, flags.isForced)
		if err != nil {
			return err
		}
		pruned, prunedIDs, err := a.selectPruned(ctx, client, games, flags)
		if err != nil {
			return err
		}
		counts := map[manifest.Result]int{}
		run := bulk[output.Applied]{app: a, name: "apply", parallel: flags.parallel, isQuiet: flags.isQuiet}
		run.print = func(applied output.Applied) error {
			counts[manifest.Result(applied.Result)]++
			return a.printer().Applied(applied)
		}
		run.count = func(_, total int) string {
			text := fmt.Sprintf("%s: %d created, %d configured, %d unchanged", countGames(total, flags.isDryRun),
				counts[manifest.ResultCreated], counts[manifest.ResultConfigured], counts[manifest.ResultUnchanged])
			if flags.prune.isEnabled {
				text += fmt.Sprintf(", %d pruned", counts[manifest.ResultPruned])
			}
			return text
		}
		notStarted := run.runAll(ctx, idsOf(games), func(ctx context.Context, gameID string) (output.Applied, error) {
			return a.applyChange(ctx, client, changes[gameID], flags)
		})
		if len(run.errs) > 0 || notStarted > 0 {
			return run.finish(ctx, len(games)+len(pruned), notStarted+len(pruned))
		}
		notStarted = run.runAll(ctx, prunedIDs, func(ctx context.Context, gameID string) (output.Applied, error) {
			return a.pruneGame(ctx, client, pruned[gameID], flags)
		})
		return run.finish(ctx, len(games)+len(pruned), notStarted)
	})
}

func countGames(total int, isDryRun bool) string {
	text := fmt.Sprintf("%d games", total)
	if total == 1 {
		text = "1 game"
	}
	if isDryRun {
		return "dry run of " + text
	}
	return text
}

// readGames reads the files of -f. Their errors are errors of the command line.
func (a *app) readGames(files []string) ([]manifest.Game, error) {
	games, err := manifest.ReadGames(files, a.streams.In)
	if err != nil {
		return nil, exit.UsageError{Err: err}
	}
	return games, nil
}

func idsOf(games []manifest.Game) []string {
	ids := make([]string, len(games))
	for i, game := range games {
		ids[i] = game.GameID
	}
	return ids
}

// gameChange is the change of one game.
type gameChange struct {
	manifest.Change
	game    manifest.Game
	current api.GameSpec
}

// changesOf returns the change of each game, by its id.
func (a *app) changesOf(ctx context.Context, client *httpclient.Client, games []manifest.Game, isForced bool) (map[string]gameChange, error) {
	ctx, cancel := context.WithTimeout(ctx, a.globals.readTimeout())
	defer cancel()
	specs, err := retryLimited(ctx, func() ([]api.GameSpec, error) { return client.Specs(ctx, idsOf(games)) })
	if err != nil {
		return nil, err
	}
	changes := make(map[string]gameChange, len(games))
	for i, game := range games {
		changes[game.GameID] = gameChange{Change: manifest.ChangeOf(game, specs[i], isForced), game: game, current: specs[i]}
	}
	return changes, nil
}

// applyChange runs the operations of the change.
func (a *app) applyChange(ctx context.Context, client *httpclient.Client, change gameChange, flags applyFlags) (output.Applied, error) {
	applied := output.Applied{GameID: change.game.GameID, Result: string(change.Result), Changes: change.Members, IsDryRun: flags.isDryRun}
	if change.current.Record != nil {
		applied.Record = &runtime.VersionedRecord{Record: *change.current.Record, Revision: change.current.Revision}
	}
	if flags.isDryRun {
		return applied, nil
	}
	if change.Labels != nil {
		record, err := client.ChangeLabels(ctx, change.game.GameID, *change.Labels, a.partOrigin(flags.origin, change.game.GameID, "-labels"))
		if err != nil {
			return output.Applied{}, err
		}
		applied.Record = &record
	}
	if change.Metadata != nil {
		record, err := client.ChangeMetadata(ctx, change.game.GameID, *change.Metadata, a.partOrigin(flags.origin, change.game.GameID, "-metadata"))
		if err != nil {
			return output.Applied{}, err
		}
		applied.Record = &record
	}
	for i, request := range change.Requests {
		o := httpclient.Operation{OperationRequest: request, Until: httpclient.WaitDone}
		if request.Kind == operation.KindStart {
			o.Region, o.Node = change.game.Region, change.game.Node
			if !flags.wait {
				o.Until = httpclient.WaitRunning
			}
		}
		o.Origin = gameOrigin(flags.origin.PortsOrigin(a.userName()), flags.origin.OperationID, request.GameID)
		if i > 0 && flags.origin.OperationID != "" {
			o.Origin.OperationID += fmt.Sprintf("-%d", i+1)
		}
		record, err := a.runOperation(ctx, client, o, true)
		if err != nil {
			return output.Applied{}, err
		}
		if record != nil {
			applied.Record = record
		}
	}
	return applied, nil
}

// partOrigin returns the origin of the write of a part of the record. The suffix distinguishes its
// operation id from those of the other writes.
func (a *app) partOrigin(given flags.Origin, gameID, suffix string) ports.Origin {
	origin := gameOrigin(given.PortsOrigin(a.userName()), given.OperationID, gameID)
	if given.OperationID != "" {
		origin.OperationID += suffix
	}
	return origin
}
