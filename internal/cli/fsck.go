package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/ports"
)

func (a *app) fsckCommand() *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:   "fsck",
		Short: "Check store consistency and optionally repair it",
		Long: `Fsck compares all records, their index and their ledger at one revision. Each
record must have exactly one index key, under its own status, with its own
container id; there must be no other index key; the newest ledger entry must match
the record; and every value must be readable, also those of nodes and their
settings, reservations, rollouts, access control and secrets.

The exit code is 0 if no inconsistency remains, and 1 otherwise. With --repair it
repairs what it can, each by a compare-and-swap at the revision that it read. It
never changes a record and never overwrites an unreadable value.

The duration depends on the size of the store; there is no timeout unless --timeout
is given.`,
		Example: `  rtmanager fsck
  rtmanager fsck --repair
  rtmanager fsck -o json | jq '.findings[].key'`,
		Args: requireNoArguments,
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "repair what can be repaired")
	cmd.RunE = a.runE(func(cmd *cobra.Command, _ []string) error {
		if !cmd.Flags().Changed("timeout") {
			a.globals.timeout = 0
		}
		return a.fsck(cmd.Context(), repair)
	})
	return cmd
}

func (a *app) fsck(ctx context.Context, repair bool) error {
	return a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		report, err := client.Check(ctx, repair)
		switch {
		case err != nil && repair:
			return exit.WriteError{Err: err, UnknownHint: "some repairs may have been made; `rtmanager fsck` shows what remains"}
		case err != nil:
			return err
		}
		if err := a.printer().CheckReport(report, repair); err != nil {
			return err
		}
		return remainingFindingsError(report, repair)
	})
}

// remainingFindingsError returns an error with the number of findings that remain, nil for
// none.
func remainingFindingsError(report ports.CheckReport, repair bool) error {
	remaining, repairable := 0, 0
	for _, f := range report.Findings {
		if f.Repaired {
			continue
		}
		remaining++
		if f.Repair != "" {
			repairable++
		}
	}
	switch {
	case remaining == 0:
		return nil
	case repairable > 0 && !repair:
		return fmt.Errorf("%s; `rtmanager fsck --repair` can repair %d of them", remain(remaining), repairable)
	}
	return errors.New(remain(remaining))
}

// remain returns the number of findings as a clause, such as "1 finding remains".
func remain(findings int) string {
	if findings == 1 {
		return "1 finding remains"
	}
	return render.Count(findings, "finding") + " remain"
}
