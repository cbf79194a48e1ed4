package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

func (a *app) fsckCommand() *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:   "fsck",
		Short: "Prove that the store keeps its rules, and mend it when asked",
		Long: `Fsck compares all records, their index and their ledger as of one revision: each
record has exactly one index key, under its own status, holding its own
container id; there is no other index key; the newest ledger entry tells how
the record came to be; and every value can be read.

It exits with 0 when nothing is left to mend and with 1 otherwise. With --repair
it mends what can be mended, each by a compare-and-swap pinned to what it saw. A
record is never changed, and a value that cannot be read never rewritten.

It takes as long as the store is large: --timeout counts only when it is given.`,
		Example: `  rtmanager fsck
  rtmanager fsck --repair
  rtmanager fsck -o json | jq '.findings[].key'`,
		Args: noArguments,
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "mend what can be mended")
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error {
		if !cmd.Flags().Changed("timeout") {
			a.globals.timeout = 0
		}
		return a.fsck(cmd.Context(), repair)
	})
	return cmd
}

func (a *app) fsck(ctx context.Context, repair bool) error {
	return a.call(ctx, func(ctx context.Context, client *httpclient.Client) error {
		report, err := client.Check(ctx, repair)
		switch {
		case err != nil && repair:
			return writeError{err: err, unknown: "some of it may have been mended; `rtmanager fsck` shows what is left"}
		case err != nil:
			return err
		}
		if err := a.printReport(report, repair); err != nil {
			return err
		}
		return leftToMend(report, repair)
	})
}

func (a *app) printReport(report ports.CheckReport, repair bool) error {
	if encoder, ok := a.encoder(a.streams.Out); ok {
		return encoder.encode(api.CheckFrom(report))
	}
	out := new(strings.Builder)
	fmt.Fprintf(out, "checked %s, %s, %s at revision %d\n", counted(report.Records, "record"),
		counted(report.IndexKeys, "index key"), counted(report.LedgerEntries, "ledger entry"), report.Revision)
	for _, f := range report.Findings {
		fmt.Fprintf(out, "\n%s  %s\n", f.Kind, plain(f.Key))
		if f.GameID != "" {
			fmt.Fprintf(out, "  game:    %s\n", plain(f.GameID))
		}
		fmt.Fprintf(out, "  found:   %s\n  %s\n", printable(f.Detail), repairLine(f, repair))
	}
	if len(report.Findings) == 0 {
		fmt.Fprintln(out, "clean: every rule holds")
	}
	_, err := io.WriteString(a.streams.Out, out.String())
	return err
}

func repairLine(f ports.CheckFinding, asked bool) string {
	switch {
	case f.Repaired:
		return "mended:  " + printable(f.Repair)
	case f.RepairError != "":
		return "not mended: " + printable(f.RepairError)
	case f.Repair == "":
		return "repair:  a person has to decide"
	case asked:
		return "not mended: " + printable(f.Repair)
	}
	return "repair:  would " + printable(f.Repair)
}

func counted(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case what == "ledger entry":
		return fmt.Sprintf("%d ledger entries", n)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// leftToMend is an error that says how many findings are left, nil for none.
func leftToMend(report ports.CheckReport, repair bool) error {
	left, mendable := 0, 0
	for _, f := range report.Findings {
		if f.Repaired {
			continue
		}
		left++
		if f.Repair != "" {
			mendable++
		}
	}
	switch {
	case left == 0:
		return nil
	case mendable > 0 && !repair:
		return fmt.Errorf("%s left, of which `rtmanager fsck --repair` can mend %d", counted(left, "finding"), mendable)
	}
	return fmt.Errorf("%s left", counted(left, "finding"))
}
