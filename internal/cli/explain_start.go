package cli

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/cli/internal/selection"
)

// errNotExplained reports that the daemon is not part of a cluster, which has nothing to explain.
var errNotExplained = errors.New("the daemon explains no placement")

// explainGames explains what the command would do with each named game.
func (a *app) explainGames(ctx context.Context, client *httpclient.Client, name string, games []string, create newOperation, explain func(context.Context, *httpclient.Client, httpclient.Operation) error) error {
	var errs exit.MultiError
	done := 0
	for _, gameID := range selection.Unique(games) {
		o, err := create(ctx, gameID)
		if err == nil {
			err = explain(ctx, client, o)
		}
		switch {
		case errors.Is(err, errNotExplained):
			return err
		case err == nil:
			done++
		default:
			err = newCommandError([]string{name, render.Value(gameID)}, err)
			a.reporter().ReportLine(err)
			errs = append(errs, err)
		}
	}
	summary := fmt.Sprintf("dry run: %s, nothing was done", render.Count(done, "game"))
	if len(errs) > 0 {
		return exit.SummaryError{Summary: fmt.Sprintf("%s: %s; %d would fail", name, summary, len(errs)), Errs: errs}
	}
	a.printMessagef(name, "%s", summary)
	return nil
}
