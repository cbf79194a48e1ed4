package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/drift"
)

type driftFlags struct{ apply, release, yes bool }

func (a *app) driftCommand() *cobra.Command {
	var flags driftFlags
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Show where records and engines disagree, and act on it",
		Long: `Drift asks every node where its records, its engine and what is wanted disagree,
and shows what would be done about it. The daemons do most of it by themselves;
what is held back, by the brake or because it has to be seen for longer, says
so. A node that does not answer is named on standard error, and the exit code is
then 1: what it would find is not shown.

With --apply each finding is acted on now, if nothing has changed since it was
shown; one that has moved on is left alone, and the exit code is then 3. The
brake does not hold what is applied. With --release-brake the brakes that are on
are released, and the nodes go on by themselves.

Both ask first. Where nobody can be asked, --yes is needed.`,
		Example: `  rtmanager drift
  rtmanager drift -o wide
  rtmanager drift --apply
  rtmanager drift --apply --yes -o json | jq '.results[] | select(.status != "applied")'
  rtmanager drift --release-brake --yes`,
		Args: noArguments,
	}
	cmd.Flags().BoolVar(&flags.apply, "apply", false, "act on what is found")
	cmd.Flags().BoolVar(&flags.release, "release-brake", false, "release the brakes that are on")
	cmd.Flags().BoolVar(&flags.yes, "yes", false, "do not ask first")
	cmd.MarkFlagsMutuallyExclusive("apply", "release-brake")
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error {
		if flags.apply && !cmd.Flags().Changed("timeout") {
			a.globals.timeout = 0 // what is applied takes as long as it takes
		}
		return a.drift(cmd.Context(), flags)
	})
	return cmd
}

func (a *app) drift(ctx context.Context, flags driftFlags) error {
	if (flags.apply || flags.release) && !flags.yes && !a.streams.Terminal {
		return usageError{err: errors.New("--yes is needed where nobody can be asked")}
	}
	return a.call(ctx, func(ctx context.Context, client *httpclient.Client) error {
		report, err := client.Drift(ctx)
		if err != nil {
			return err
		}
		a.tellHolds(report, flags)
		switch {
		case flags.apply:
			err = a.applyDrift(ctx, client, report, flags.yes)
		case flags.release:
			err = a.releaseBrakes(ctx, client, report, flags.yes)
		default:
			err = a.printDrift(report)
		}
		return errors.Join(err, missingNodes(report))
	})
}

func missingNodes(report drift.Report) error {
	if len(report.Missing) == 0 {
		return nil
	}
	return fmt.Errorf("%s did not answer; what would be found there is not known", counted(len(report.Missing), "node"))
}

// tellHolds tells of brakes and of nodes that are missing.
func (a *app) tellHolds(report drift.Report, flags driftFlags) {
	for _, b := range report.Brakes {
		fmt.Fprintf(a.streams.Err, "rtmanager: drift: the brake of %s is on since %s: %s\n",
			plain(b.Region+"/"+b.Node), instant(b.Since), oneLine(b.Reason))
	}
	for _, m := range report.Missing {
		fmt.Fprintf(a.streams.Err, "rtmanager: drift: %s: %s\n", plain(m.Region+"/"+m.Node), oneLine(m.Reason))
	}
	if len(report.Brakes) > 0 && !flags.release && !flags.apply {
		fmt.Fprintln(a.streams.Err, "hint: `rtmanager drift --release-brake` lets the nodes go on, once it is clear that they are right")
	}
}

// oneLine is what came from elsewhere, in one line and harmless.
func oneLine(text string) string { return strings.ReplaceAll(printable(text), "\n", " ") }

func (a *app) printDrift(report drift.Report) error {
	if encoder, ok := a.encoder(a.streams.Out); ok {
		return encoder.encode(report)
	}
	if len(report.Findings) == 0 && a.globals.output == "" {
		text := "no drift: records and engines agree"
		if len(report.Missing) > 0 {
			text = "no drift on the nodes that answered"
		}
		_, err := fmt.Fprintln(a.streams.Out, text)
		return err
	}
	return a.printTable(a.driftTable(report.Findings))
}

func (a *app) driftTable(findings []drift.Finding) *table {
	wide := a.globals.output == outputWide
	t := &table{header: []string{"GAME", "KIND", "ACTION", "NODE", "AGE", "EVIDENCE"}}
	if wide {
		t.header = []string{"GAME", "KIND", "ACTION", "NODE", "AGE", "SEEN", "RECORD", "INTENT", "CONTAINER", "ID", "HELD", "EVIDENCE"}
	}
	for _, f := range findings {
		action := cell(string(f.Action))
		if f.BlockedBy != "" && !wide {
			action += " (held)"
		}
		row := []string{plain(f.GameID), cell(string(f.Kind)), action, cell(f.Region + "/" + f.Node), age(a.streams.Now().Sub(f.FirstSeen))}
		if wide {
			row = append(row, strconv.Itoa(f.Observations), strconv.FormatInt(f.RecordRevision, 10), strconv.FormatInt(f.IntentRevision, 10),
				cell(f.ContainerID), cell(f.ID), reasonCell(f.BlockedBy))
		}
		t.add(append(row, reasonCell(f.Evidence))...)
	}
	return t
}
