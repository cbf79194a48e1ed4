package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type setStatusFlags struct {
	from, to, containerID, now string
	origin                     originFlags
}

func (a *app) setStatusCommand() *cobra.Command {
	var flags setStatusFlags
	cmd := &cobra.Command{
		Use:   "set-status GAME --from STATUS --to STATUS",
		Short: "Move a game from one status to another, if it is as expected",
		Long: `Set-status changes a record's status by compare-and-swap: only if the status is
--from, and the container is --container-id where that is given. Of several who
try at once exactly one succeeds; the others exit with 3 and are told what
stands.

Allowed are running to stopped, running to removed, stopped to running and
stopped to removed. A removed game comes back only through put.`,
		Example: `  rtmanager set-status game-1 --from running --to stopped
  rtmanager set-status game-1 --from running --to stopped --container-id 4f1c --reason maintenance
  rtmanager set-status game-1 --from stopped --to removed --now 2026-03-01T12:00:00Z
  rtmanager set-status game-1 --from stopped --to running --operation-id deploy-42 # safe to repeat`,
		Args:              oneGame,
		ValidArgsFunction: a.completeGame,
	}
	cmd.Flags().StringVar(&flags.from, "from", "", "the `STATUS` that the record must have")
	cmd.Flags().StringVar(&flags.to, "to", "", "the `STATUS` to move to")
	cmd.Flags().StringVar(&flags.containerID, "container-id", "", "the container `ID` that the record must have")
	cmd.Flags().StringVar(&flags.now, "now", "", "`INSTANT` of the transition, RFC 3339; this machine's clock if left out")
	flags.origin.bind(cmd)
	_ = cmd.MarkFlagRequired("from")
	_ = cmd.MarkFlagRequired("to")
	completeStatus(cmd, "from")
	completeStatus(cmd, "to")
	cmd.RunE = a.verb(func(cmd *cobra.Command, args []string) error {
		return a.setStatus(cmd.Context(), args[0], flags)
	})
	return cmd
}

func (a *app) setStatus(ctx context.Context, gameID string, flags setStatusFlags) error {
	from, errFrom := runtime.ParseStatus("--from", flags.from)
	to, errTo := runtime.ParseStatus("--to", flags.to)
	now, errNow := a.instantOf(flags.now)
	if err := errors.Join(runtime.ValidateGameID(gameID), errFrom, errTo, errNow, flags.origin.check()); err != nil {
		return err
	}
	input := ports.TransitionInput{
		UpdateStatusInput: ports.UpdateStatusInput{
			GameID: gameID, ExpectedFrom: from, ExpectedContainerID: flags.containerID, To: to, Now: now,
		},
		Origin: a.origin(flags.origin),
	}
	return a.call(ctx, func(ctx context.Context, client *httpclient.Client) error {
		written, err := client.Transition(ctx, input)
		if err != nil {
			return writeError{err: err, unknown: repeatable(input.Origin), to: to}
		}
		return a.printRecords([]runtime.VersionedRecord{written}, func(v runtime.VersionedRecord) string {
			return fmt.Sprintf("%s %s → %s, revision %d", plain(gameID), input.ExpectedFrom, input.To, v.Revision)
		})
	})
}

// instantOf reads the flag --now; without it, it is this machine's clock.
func (a *app) instantOf(text string) (time.Time, error) {
	if text == "" {
		return a.streams.Now(), nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	switch {
	case err != nil:
		return at, &runtime.InvalidError{Field: "--now", Reason: fmt.Sprintf("%q is not an instant; write it like 2026-03-01T12:00:00Z", text)}
	case at.IsZero():
		return at, &runtime.InvalidError{Field: "--now", Reason: fmt.Sprintf("%q is the zero time; give the instant of the transition", text)}
	}
	return at, nil
}
