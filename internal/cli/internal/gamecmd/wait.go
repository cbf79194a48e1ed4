package gamecmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/condition"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/cli/internal/selection"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func (c commands) waitCommand() *cobra.Command {
	var selected selection.Flags
	var texts []string
	cmd := &cobra.Command{
		Use:   "wait GAME... --for CONDITION",
		Short: "Wait until games fulfill a condition",
		Long: `Wait returns when each game has fulfilled the condition, and prints a line when one does. The
games are independent of each other. Several --for must be true at the same time. A
CONDITION is one of:

  status=STATUS   the status of the record: running, stopped or removed
  ready           the game is running on a present node, and its health check passes
  health=HEALTH   healthy, unhealthy, unknown, or none for a game without health check
  idle            no operation on the game is in progress
  node=NODE       the record names the node, as NODE or REGION/NODE
  image=IMAGE     the record has the image
  deleted         the game has no record

Filters select the games when the command starts. A named game without a record is
waited for, because a start may be in progress. There is no timeout unless --timeout is
given; then the exit code is 124, and the error names the games that remain. The command
uses one watch, which survives a restart of the daemon.`,
		Example: `  rtmanager start game-1 --detach && rtmanager wait game-1 --for ready --timeout 2m
  rtmanager wait -l env=prod --for ready --for image=gameserver:1.0.1 --timeout 10m
  rtmanager wait game-1 game-2 --for status=stopped
  rtmanager wait --node eu-1 --for deleted`,
		Args:              func(cmd *cobra.Command, args []string) error { return selected.CheckArguments(cmd.Name(), args) },
		ValidArgsFunction: c.CompleteGames,
	}
	selected.BindFilters(cmd, selection.Verb{})
	cmd.Flags().StringArrayVar(&texts, "for", nil, "`CONDITION` to wait for: "+condition.Forms+"; repeatable")
	_ = cmd.MarkFlagRequired("for")
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions(completions(), cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		c.RemoveTimeout(cmd)
		conditions, err := condition.ParseList("--for", texts)
		if err != nil {
			return err
		}
		games, err := c.SelectGames(cmd.Context(), args)
		if err != nil {
			return err
		}
		if err := selected.Validate(games); err != nil {
			return err
		}
		w := waiter{commands: c, conditions: conditions, selected: &selected}
		return c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
			return w.run(ctx, client, selection.Unique(games))
		})
	})
	return cmd
}

// completions returns the conditions that have no values of a user.
func completions() []string {
	found := []string{"ready", "idle", "deleted", "node=", "image="}
	for _, status := range runtime.Statuses() {
		found = append(found, "status="+string(status))
	}
	for _, health := range runtime.Healths() {
		found = append(found, "health="+string(health))
	}
	return found
}

// waiter is one run of wait.
type waiter struct {
	commands

	conditions condition.List
	selected   *selection.Flags
	tracker    *condition.Tracker
}

// run waits for the games, or for those that the filters select, until ctx ends.
func (w *waiter) run(ctx context.Context, client *httpclient.Client, games []string) error {
	records, revision, err := w.list(ctx, client, games)
	switch {
	case err != nil:
		return err
	case len(games) == 0 && len(records) == 0:
		return fmt.Errorf("no games match: %w", runtime.ErrNotFound)
	case len(games) == 0:
		games = selection.IDs(records)
	}
	w.tracker = condition.NewTracker(w.conditions, games)
	if err := w.print(w.tracker.Start(records)); err != nil {
		return err
	}
	if w.tracker.IsDone() {
		return nil
	}
	w.reportAbsent()
	options := ports.WatchOptions{FromRevision: revision, Resync: true, RecordFilter: ports.RecordFilter{GamePrefix: selection.CommonPrefix(games)}}
	if len(games) == 1 {
		options.GameID = games[0]
	}
	return w.follow(ctx, client, options)
}

// list returns the records of the games, or of those that the filters select, and the revision.
func (w *waiter) list(ctx context.Context, client *httpclient.Client, games []string) ([]runtime.VersionedRecord, int64, error) {
	if w.selected.HasFilters() {
		return w.selected.ListAt(ctx, client)
	}
	return selection.ListGames(ctx, client, games)
}

// follow observes the changes until every game has fulfilled the conditions.
func (w *waiter) follow(ctx context.Context, client *httpclient.Client, options ports.WatchOptions) error {
	for event, err := range client.Watch(ctx, options) {
		var corrupt *runtime.CorruptError
		switch {
		case errors.As(err, &corrupt) && event.Revision != 0:
			fmt.Fprintf(w.Err, "rtmanager: wait: corrupt: key %q: %s\n", corrupt.Key, render.Printable(corrupt.Reason))
			continue
		case errors.Is(err, context.DeadlineExceeded):
			return w.timeoutError(err)
		case err != nil:
			return err
		}
		if err := w.print(w.tracker.Observe(event)); err != nil {
			return err
		}
		if w.tracker.IsDone() {
			return nil
		}
	}
	return ctx.Err()
}

// print prints the games that fulfill the conditions.
func (w *waiter) print(reached []condition.Reached) error {
	for _, one := range reached {
		var err error
		if one.Record == nil {
			err = w.Printer().Deleted(one.GameID)
		} else {
			err = w.Printer().Records([]runtime.VersionedRecord{*one.Record}, w.summary)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *waiter) summary(v runtime.VersionedRecord) string {
	return fmt.Sprintf("%s %s: %s", render.Value(v.Record.GameID), w.conditions, stateText(&v))
}

// stateText describes the record, nil for none.
func stateText(v *runtime.VersionedRecord) string {
	if v == nil {
		return "no record"
	}
	text := output.StatusText(v.Record) + output.OnNode(v.Record)
	if v.Record.Health != "" {
		text += ", health " + string(v.Record.Health)
	}
	if v.Record.Operation != nil {
		text += ", " + v.Record.Operation.Kind + " in progress"
	}
	return fmt.Sprintf("%s, revision %d", text, v.Revision)
}

// reportAbsent prints the games without a record, whose ids may be wrong.
func (w *waiter) reportAbsent() {
	for _, one := range w.tracker.Pending() {
		if one.Record == nil {
			fmt.Fprintf(w.Err, "rtmanager: wait: %s has no record yet\n", render.Value(one.GameID))
		}
	}
}

// maxNamed bounds the games that an error names.
const maxNamed = 5

// timeoutError names the games that have not fulfilled the conditions.
func (w *waiter) timeoutError(err error) error {
	pending := w.tracker.Pending()
	texts := make([]string, 0, maxNamed+1)
	for _, one := range pending[:min(len(pending), maxNamed)] {
		texts = append(texts, render.Value(one.GameID)+" ("+stateText(one.Record)+")")
	}
	if more := len(pending) - maxNamed; more > 0 {
		texts = append(texts, fmt.Sprintf("%d more", more))
	}
	return exit.HintError{
		Err:  fmt.Errorf("%w: %s: not %s", err, strings.Join(texts, ", "), w.conditions),
		Hint: "`rtmanager explain GAME` shows why; increase --timeout to wait longer",
	}
}
