package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type setStatusFlags struct {
	from, to, containerID, now string
	origin                     flags.Origin
	isRecordOnly               bool
}

func (a *app) setStatusCommand() *cobra.Command {
	var statusFlags setStatusFlags
	cmd := &cobra.Command{
		Use:   "set-status GAME --from STATUS --to STATUS",
		Short: "Change the status of the record of a game that no node manages",
		Long: `Set-status changes the status of a record by compare-and-swap: only if the current
status is --from, and the container is --container-id if that is given. Of several
concurrent writers exactly one succeeds; the others exit with 3 and print the current
record.

It changes the record only, not the game's container, and is meant for records that no
node manages. While an operation is in progress on the game it is rejected. It is also
rejected if the node that runs the game is present, because that node corrects a record
that contradicts the container: use stop, start and cleanup to change the game itself,
or --record-only to change its record nevertheless.

The allowed transitions are running to stopped, running to removed, stopped to running
and stopped to removed. Only start and put change a removed record.`,
		Example: `  rtmanager set-status game-1 --from running --to stopped
  rtmanager set-status game-1 --from running --to stopped --container-id "$ID" --reason maintenance
  rtmanager set-status game-1 --from stopped --to removed --now 2026-03-01T12:00:00Z
  rtmanager set-status game-1 --from stopped --to running --operation-id deploy-42 # safe to repeat`,
		Args:              requireOneGame,
		ValidArgsFunction: a.completeGame,
	}
	cmd.Flags().StringVar(&statusFlags.from, "from", "", "`STATUS` that the record must have")
	cmd.Flags().StringVar(&statusFlags.to, "to", "", "new `STATUS`")
	cmd.Flags().StringVar(&statusFlags.containerID, "container-id", "", "container `ID` that the record must have")
	cmd.Flags().StringVar(&statusFlags.now, "now", "", "`TIMESTAMP` of the transition in RFC 3339 (default: the current time of this machine)")
	cmd.Flags().BoolVar(&statusFlags.isRecordOnly, "record-only", false, "change the record even if a present node manages the game")
	statusFlags.origin.Bind(cmd)
	_ = cmd.MarkFlagRequired("from")
	_ = cmd.MarkFlagRequired("to")
	flags.CompleteStatus(cmd, "from")
	flags.CompleteStatus(cmd, "to")
	cmd.RunE = a.runE(func(cmd *cobra.Command, args []string) error {
		gameID, err := a.selectGame(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.setStatus(cmd.Context(), gameID, statusFlags)
	})
	return cmd
}

func (a *app) setStatus(ctx context.Context, gameID string, flags setStatusFlags) error {
	from, errFrom := runtime.ParseStatus("--from", flags.from)
	to, errTo := runtime.ParseStatus("--to", flags.to)
	now, errNow := a.parseNow(flags.now)
	if err := errors.Join(runtime.ValidateGameID(gameID), errFrom, errTo, errNow, flags.origin.Validate()); err != nil {
		return err
	}
	input := ports.TransitionInput{
		UpdateStatusInput: ports.UpdateStatusInput{
			GameID: gameID, ExpectedFrom: from, ExpectedContainerID: flags.containerID, To: to, Now: now,
		},
		Origin: flags.origin.PortsOrigin(a.userName()),
	}
	if flags.isRecordOnly {
		input.Guard = ports.GuardNoOperation
	}
	return a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		record, err := client.Transition(ctx, input)
		if err != nil {
			return exit.WriteError{Err: err, UnknownHint: exit.RetryHint(input.Origin), To: to}
		}
		return a.printer().Records([]runtime.VersionedRecord{record}, func(v runtime.VersionedRecord) string {
			return fmt.Sprintf("%s %s → %s, revision %d", render.Value(gameID), input.ExpectedFrom, input.To, v.Revision)
		})
	})
}

// parseNow parses --now; without a value it returns the current time.
func (a *app) parseNow(text string) (time.Time, error) {
	if text == "" {
		return a.streams.Now(), nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	switch {
	case err != nil:
		return at, &runtime.InvalidError{Field: "--now", Reason: fmt.Sprintf("%q is not a timestamp; use the form 2026-03-01T12:00:00Z", text)}
	case at.IsZero():
		return at, &runtime.InvalidError{Field: "--now", Reason: fmt.Sprintf("%q is the zero time; use the time of the transition", text)}
	}
	return at, nil
}
