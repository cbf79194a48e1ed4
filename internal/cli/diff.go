package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/manifest"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/cli/internal/selection"
)

func (a *app) diffCommand() *cobra.Command {
	var files []string
	var prune pruneFlags
	cmd := &cobra.Command{
		Use:   "diff -f FILE|DIR",
		Short: "Show what apply would change",
		Long: `Diff compares games with the files that describe them, and prints the differences as
unified diffs of YAML: lines with - are of the current game, lines with + of the file.

Diff exits with 0 if apply would change nothing, with 1 if it would, and with 2 or more
after an error. With --prune it also shows the games that apply --prune would remove.

` + manifestHelp,
		Example: `  rtmanager diff -f games/
  rtmanager diff -f games/ > /dev/null || rtmanager apply -f games/`,
		Args: requireNoArguments,
	}
	bindManifests(cmd, &files)
	prune.bind(cmd, false)
	cmd.RunE = a.runE(func(cmd *cobra.Command, _ []string) error {
		err := a.diff(cmd.Context(), files, &prune)
		if err != nil && !errors.Is(err, exit.ErrNegative) && exit.Code(err) == exit.Failure {
			return exit.CodeError{Err: err, Code: exit.Usage} // 1 means a difference
		}
		return err
	})
	return cmd
}

func (a *app) diff(ctx context.Context, files []string, prune *pruneFlags) error {
	if err := prune.validate(); err != nil {
		return err
	}
	games, err := a.readGames(files)
	if err != nil {
		return err
	}
	return a.withClient(httpclient.Config{}, func(client *httpclient.Client) error {
		changes, err := a.changesOf(ctx, client, games, true)
		if err != nil {
			return err
		}
		isDifferent := false
		for _, game := range games {
			change := changes[game.GameID]
			if change.Result == manifest.ResultUnchanged {
				continue
			}
			isDifferent = true
			text, err := diffText(change)
			if err != nil {
				return err
			}
			if _, err := a.streams.Out.Write(text); err != nil {
				return err
			}
		}
		hasPruned, err := a.diffPruned(ctx, client, games, prune)
		if err != nil {
			return err
		}
		if isDifferent || hasPruned {
			return exit.ErrNegative
		}
		return nil
	})
}

// diffText returns the unified diff of a game.
func diffText(change gameChange) ([]byte, error) {
	var current, desired []byte
	merged := change.game
	if change.Result != manifest.ResultCreated && change.current.Spec != nil {
		before := manifest.GameOf(change.current)
		if change.current.Record != nil && change.current.OperationID == "" {
			before.DesiredStatus = change.current.Record.Status
		}
		var err error
		if merged, err = manifest.Merged(change.game, before, change.Members); err != nil {
			return nil, err
		}
		if current, err = encodeYAML(before); err != nil {
			return nil, err
		}
	}
	desired, err := encodeYAML(merged)
	if err != nil {
		return nil, err
	}
	return unifiedDiff(change.game.GameID, "file", current, desired), nil
}

// unifiedDiff returns the unified diff of a game between its current state and the one of source.
func unifiedDiff(gameID, source string, current, desired []byte) []byte {
	name := render.Value(gameID)
	text := diff.Diff(name+" (current)", current, name+" ("+source+")", desired)
	// The first line is a command line of the program diff.
	if _, rest, found := bytes.Cut(text, []byte("\n")); found {
		text = rest
	}
	return text
}

// diffPruned prints the games that apply --prune would remove, and reports whether there are any.
func (a *app) diffPruned(ctx context.Context, client *httpclient.Client, games []manifest.Game, prune *pruneFlags) (hasPruned bool, _ error) {
	ctx, cancel := context.WithTimeout(ctx, a.globals.readTimeout())
	defer cancel()
	pruned, err := prune.selectGames(ctx, client, games)
	if err != nil || len(pruned) == 0 {
		return false, err
	}
	specs, err := client.Specs(ctx, selection.IDs(pruned))
	if err != nil {
		return false, err
	}
	for i, found := range pruned {
		current, err := encodeYAML(manifest.GameOf(specs[i]))
		if err != nil {
			return false, err
		}
		if _, err := a.streams.Out.Write(unifiedDiff(found.Record.GameID, "pruned", current, nil)); err != nil {
			return false, err
		}
	}
	return true, nil
}

func encodeYAML(game manifest.Game) ([]byte, error) {
	var out bytes.Buffer
	if err := render.NewYAMLEncoder(&out).Encode(game); err != nil {
		return nil, fmt.Errorf("encode game %q: %w", game.GameID, err)
	}
	return out.Bytes(), nil
}
