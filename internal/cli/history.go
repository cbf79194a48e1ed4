package cli

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

func (a *app) historyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "history GAME",
		Short: "Show a game's recent transitions, newest first",
		Long: `History shows how a game's record came to be what it is: each of its recent
writes with its instant, the statuses before and after, and the reason that was
given. The wide form adds who asked and the id of the operation. The store keeps
the most recent entries only.`,
		Example: `  rtmanager history game-1
  rtmanager history game-1 -o wide
  rtmanager history game-1 -o json | jq -r '.items[0].reason'`,
		Args:              oneGame,
		ValidArgsFunction: a.completeGame,
		RunE: a.verb(func(cmd *cobra.Command, args []string) error {
			return a.history(cmd.Context(), args[0])
		}),
	}
}

func (a *app) history(ctx context.Context, gameID string) error {
	return a.call(ctx, func(ctx context.Context, client *httpclient.Client) error {
		entries, err := client.History(ctx, gameID)
		damaged := damagedValues(err)
		if err != nil && len(damaged) == 0 {
			return err
		}
		if err := a.printHistory(gameID, entries, damaged); err != nil {
			return err
		}
		return a.reportDamage(damaged)
	})
}

// damagedValues returns the damaged values that an error is joined of.
func damagedValues(err error) []*runtime.CorruptError {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var damaged []*runtime.CorruptError
	for _, one := range joined.Unwrap() {
		var corrupt *runtime.CorruptError
		if errors.As(one, &corrupt) {
			damaged = append(damaged, corrupt)
		}
	}
	return damaged
}

func (a *app) printHistory(gameID string, entries []runtime.LedgerEntry, damaged []*runtime.CorruptError) error {
	if encoder, ok := a.encoder(a.streams.Out); ok {
		return encoder.encode(api.History{GameID: gameID, Items: entries, Corrupt: api.CorruptFrom(damaged)})
	}
	wide := a.globals.output == outputWide
	t := &table{header: []string{"SEQ", "AT", "CHANGE", "CONTAINER", "REVISION", "REASON"}}
	if wide {
		t.header = append(t.header, "IMAGE", "ACTOR", "OPERATION")
	}
	for _, e := range entries {
		row := []string{
			strconv.FormatInt(e.Seq, 10), instant(e.At), arrow(string(e.From), string(e.To)),
			a.short(cell(e.ContainerID), shortContainer), strconv.FormatInt(e.Revision, 10), reasonCell(e.Reason),
		}
		if wide {
			row = append(row, cell(e.Image), cell(e.Actor), cell(e.OperationID))
		}
		t.add(row...)
	}
	return a.printTable(t)
}

// arrow shows a change of status; an empty one is no record.
func arrow(from, to string) string { return cell(from) + " → " + cell(to) }

// reasonCell lets a sentence stand as it is, if it is one that can be printed in
// one line and taken for nothing else.
func reasonCell(reason string) string {
	if reason == "" || reason == "-" || strings.TrimSpace(reason) != reason || strings.Contains(reason, "\n") || printable(reason) != reason {
		return cell(reason)
	}
	return reason
}
