package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

var errNotConfirmed = errors.New("not confirmed; nothing was done")

// applyDrift applies the findings that propose an action.
func (a *app) applyDrift(ctx context.Context, client *httpclient.Client, report drift.Report, isConfirmed bool) error {
	var findings []drift.Finding
	for _, f := range report.Findings {
		if f.Action != drift.ActionNone {
			findings = append(findings, f)
		}
	}
	printer := a.printer()
	if len(findings) == 0 {
		return printer.DriftResults(nil)
	}
	if !isConfirmed {
		if err := printer.DriftPreview(a.streams.Err, findings); err != nil {
			return err
		}
		if !a.confirm(fmt.Sprintf("Apply %s?", render.Count(len(findings), "finding"))) {
			return errNotConfirmed
		}
	}
	results, err := client.ApplyDrift(ctx, findings, a.userName())
	errPrint := printer.DriftResults(results)
	if err != nil {
		err = exit.WriteError{Err: err, UnknownHint: "some actions may have been applied; `rtmanager drift` shows what remains"}
	}
	return errors.Join(err, errPrint, notAppliedError(results))
}

// notAppliedError returns an error with the number of findings that were not applied, nil for
// none.
func notAppliedError(results []drift.ApplyResult) error {
	count := map[drift.ApplyStatus]int{}
	for _, r := range results {
		count[r.Status]++
	}
	switch remaining := len(results) - count[drift.ApplyDone]; {
	case remaining == 0:
		return nil
	case count[drift.ApplyStale]+count[drift.ApplyBlocked] < remaining:
		return fmt.Errorf("%d of %s not applied", remaining, render.Count(len(results), "finding"))
	case count[drift.ApplyStale] > 0:
		return fmt.Errorf("%d of %s not applied: %w", remaining, render.Count(len(results), "finding"), runtime.ErrConflict)
	default:
		return fmt.Errorf("%d of %s not applied: %w", remaining, render.Count(len(results), "finding"), operation.ErrRejected)
	}
}

func (a *app) releaseBrakes(ctx context.Context, client *httpclient.Client, report drift.Report, isConfirmed bool) error {
	if len(report.Brakes) == 0 {
		_, err := fmt.Fprintln(a.streams.Out, "no brake is engaged")
		return err
	}
	if !isConfirmed && !a.confirm(fmt.Sprintf("Release %s?", render.Count(len(report.Brakes), "brake"))) {
		return errNotConfirmed
	}
	var errs []error
	for _, b := range report.Brakes {
		node := render.Value(b.Region + "/" + b.Node)
		if err := client.ReleaseBrake(ctx, b.Region, b.Node); err != nil {
			errs = append(errs, fmt.Errorf("brake of %s: %w", node, err))
			continue
		}
		if _, err := fmt.Fprintf(a.streams.Out, "brake of %s released\n", node); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// requireConfirmation returns an error unless the user confirms the question on a terminal, or
// has confirmed it by --yes.
func (a *app) requireConfirmation(question string, isConfirmed bool) error {
	switch {
	case isConfirmed:
		return nil
	case !a.streams.IsTerminal:
		return exit.UsageError{Err: errors.New("not a terminal: pass --yes to confirm")}
	case !a.confirm(question):
		return errNotConfirmed
	}
	return nil
}

// confirm prints the question and reports whether the user confirms it.
func (a *app) confirm(question string) bool {
	fmt.Fprintf(a.streams.Err, "%s [y/N] ", question)
	input, _ := bufio.NewReader(a.streams.In).ReadString('\n')
	input = strings.ToLower(strings.TrimSpace(input))
	return input == "y" || input == "yes"
}
