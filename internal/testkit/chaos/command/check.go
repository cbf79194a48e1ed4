package command

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"galaxy/rtmanager/internal/testkit/chaos/report"
)

const checkUsage = `chaos check DIR checks the recordings in DIR once more, prints the result of each, and
writes their pages and the summary. It exits with 1 if there are violations, and with 2 if
a run proves nothing.

Flags:
`

const reportUsage = `chaos report DIR writes the pages of the recordings in DIR, and the summary.

Flags:
`

// checkRecordings implements the command check.
func checkRecordings(_ context.Context, arguments []string, stdout io.Writer) (int, error) {
	summary, err := writeReports("check", checkUsage, arguments, stdout)
	return exitCode(summary.Result()), err
}

// reportRecordings implements the command report.
func reportRecordings(_ context.Context, arguments []string, stdout io.Writer) (int, error) {
	_, err := writeReports("report", reportUsage, arguments, stdout)
	return ExitRight, err
}

func writeReports(name, text string, arguments []string, stdout io.Writer) (report.Summary, error) {
	options := report.Options{Done: func(run report.Run) { printRun(stdout, run) }}
	flags := newFlags(name, text, stdout)
	addMinimum(flags, &options.Minimum)
	if err := parse(flags, arguments); err != nil {
		return report.Summary{}, err
	}
	if flags.NArg() != 1 {
		return report.Summary{}, fmt.Errorf("%d arguments are given: it takes one directory", flags.NArg())
	}
	dir := flags.Arg(0)
	summary, err := report.CheckDirectory(dir, options)
	if err != nil {
		return summary, err
	}
	fmt.Fprintf(stdout, "%s\nsummary: %s\n", summary.Headline(), filepath.Join(dir, report.SummaryPageFile))
	return summary, nil
}

// printRun prints the result of a run.
func printRun(w io.Writer, run report.Run) {
	fmt.Fprintf(w, "%s: seed %d, %d calls (%d of unknown outcome), %d faults injected (%d failed): %s\n", run.Name, run.Seed, run.Calls, run.Unknown, run.Faults, run.FailedFaults, run.Result())
	if len(run.Skipped) > 0 {
		fmt.Fprintf(w, "  skipped rules, because the changes of etcd were not recorded: %v\n", run.Skipped)
	}
	if run.Void != "" {
		fmt.Fprintf(w, "  %s\n", run.Void)
	}
	for _, violation := range run.Summaries {
		fmt.Fprintf(w, "  %s\n", violation)
	}
}

// exitCode returns the exit code of a result.
func exitCode(result string) int {
	switch result {
	case "broken":
		return ExitBroken
	case "void":
		return ExitVoid
	default:
		return ExitRight
	}
}
