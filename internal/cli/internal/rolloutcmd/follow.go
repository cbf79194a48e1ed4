package rolloutcmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/wait"
)

// Intervals of the reads while a rollout is followed, and for how long they may fail.
const (
	pollInterval = 500 * time.Millisecond
	maxOutage    = time.Minute
)

// follow prints a line for each game whose change has ended, until the rollout has ended or is
// paused and changes no game. It returns an error unless all went well.
func (c commands) follow(ctx context.Context, id string) error {
	printed := map[string]rollout.GameState{}
	message := ""
	failingSince := time.Time{}
	for {
		found, err := c.read(ctx, id)
		switch {
		case ctx.Err() != nil:
			return exit.HintError{Err: fmt.Errorf("interrupted; rollout %s continues", id), Hint: "`rtmanager rollout pause " + id + "` pauses it"}
		case errors.Is(err, runtime.ErrUnavailable) && (failingSince.IsZero() || time.Since(failingSince) < maxOutage):
			if failingSince.IsZero() {
				failingSince = time.Now()
			}
			_ = wait.For(ctx, pollInterval)
			continue
		case err != nil:
			return err
		}
		failingSince = time.Time{}
		if err := c.printChanges(found, printed); err != nil {
			return err
		}
		if found.Message != message && found.State.IsActive() && found.Message != "" {
			_, _ = fmt.Fprintf(c.Err, "rtmanager: rollout %s: %s\n", id, render.Printable(found.Message))
		}
		message = found.Message
		if found.State.HasEnded() || found.State == rollout.StatePaused && found.Counts.InProgress == 0 {
			return c.finish(found)
		}
		_ = wait.For(ctx, pollInterval)
	}
}

func (c commands) read(ctx context.Context, id string) (found api.RolloutDetail, err error) {
	err = c.CallDaemon(ctx, func(ctx context.Context, client *httpclient.Client) (err error) {
		found, err = client.Rollout(ctx, id)
		return advise(err)
	})
	return found, err
}

// printChanges prints the games whose state is final in this direction and was not printed yet.
func (c commands) printChanges(found api.RolloutDetail, printed map[string]rollout.GameState) error {
	isStructured := c.isStructured()
	for _, game := range found.Games {
		if !isResult(game.State, found.IsUndo) || printed[game.GameID] == game.State {
			continue
		}
		printed[game.GameID] = game.State
		if isStructured {
			continue // the result is printed at the end
		}
		if _, err := fmt.Fprintln(c.Out, gameLine(game.Game)); err != nil {
			return err
		}
	}
	return nil
}

// isResult reports whether the state is a result of the rollout, or of its undo.
func isResult(state rollout.GameState, isUndo bool) bool {
	switch state {
	case rollout.GameUpdated, rollout.GameUnchanged, rollout.GameFailed:
		return !isUndo
	case rollout.GamePending, rollout.GameUpdating, rollout.GameReverting:
		return false
	default:
		return true
	}
}

// isStructured reports whether results are printed as JSON or YAML.
func (c commands) isStructured() bool {
	format := c.Printer().Format
	return format == "json" || format == "yaml"
}

func gameLine(game rollout.Game) string {
	line := render.Value(game.GameID) + " " + strings.ReplaceAll(string(game.State), "_", " ")
	if game.Message != "" {
		line += ": " + render.Printable(game.Message)
	}
	return line
}

// finish prints the result of a rollout, and returns an error unless all went well.
func (c commands) finish(found api.RolloutDetail) error {
	if done, err := c.Printer().Encode(found); err != nil {
		return err
	} else if !done {
		_, _ = fmt.Fprintf(c.Err, "rtmanager: rollout %s %s: %s\n", found.ID, found.State, countsText(found.Counts))
	}
	switch found.State {
	case rollout.StateCompleted, rollout.StateUndone:
		return nil
	case rollout.StatePaused:
		text := "rollout " + found.ID + " is paused"
		if found.Message != "" {
			text += ": " + render.Printable(found.Message)
		}
		return exit.HintError{Err: errors.New(text), Hint: "`rtmanager rollout undo " + found.ID + "` restores the previous images, `rtmanager rollout resume " + found.ID + "` continues"}
	default:
		return exit.HintError{
			Err:  fmt.Errorf("rollout %s has %s", found.ID, render.Count(found.Counts.Failed+found.Counts.RevertFailed, "failed game")),
			Hint: "`rtmanager rollout resume " + found.ID + "` retries them",
		}
	}
}

// countsText returns the counts that are not zero.
func countsText(counts rollout.Counts) string {
	text := render.Count(counts.Total, "game")
	for _, part := range []struct {
		n    int
		name string
	}{
		{counts.Updated, "updated"},
		{counts.Unchanged, "unchanged"},
		{counts.Reverted, "reverted"},
		{counts.InProgress, "in progress"},
		{counts.Pending, "pending"},
		{counts.Skipped, "skipped"},
		{counts.Failed, "failed"},
		{counts.RevertFailed, "revert failed"},
	} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.name)
		}
	}
	return text
}
