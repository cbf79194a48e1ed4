package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// applyDrift acts on the findings that propose something.
func (a *app) applyDrift(ctx context.Context, client *httpclient.Client, report drift.Report, sure bool) error {
	var findings []drift.Finding
	for _, f := range report.Findings {
		if f.Action != drift.ActionNone {
			findings = append(findings, f)
		}
	}
	if len(findings) == 0 {
		return a.printResults(nil)
	}
	if !sure {
		if err := a.driftTable(findings).write(a.streams.Err, true, nil); err != nil {
			return err
		}
		if !a.confirmed(fmt.Sprintf("Act on %s?", counted(len(findings), "finding"))) {
			return errors.New("nothing was done")
		}
	}
	results, err := client.ApplyDrift(ctx, findings, a.origin(originFlags{}).Actor)
	errPrint := a.printResults(results)
	if err != nil {
		err = writeError{err: err, unknown: "some of it may have been done; `rtmanager drift` shows what is left"}
	}
	return errors.Join(err, errPrint, notApplied(results))
}

func (a *app) printResults(results []drift.ApplyResult) error {
	if encoder, ok := a.encoder(a.streams.Out); ok {
		return encoder.encode(api.DriftApplied{Results: append([]drift.ApplyResult{}, results...)})
	}
	if len(results) == 0 && a.globals.output == "" {
		_, err := fmt.Fprintln(a.streams.Out, "nothing to act on")
		return err
	}
	t := &table{header: []string{"RESULT", "GAME", "ACTION", "NODE", "REASON"}}
	for _, r := range results {
		t.add(cell(string(r.Status)), cell(r.GameID), cell(string(r.Action)), cell(r.Region+"/"+r.Node), reasonCell(r.Reason))
	}
	return a.printTable(t)
}

// notApplied is an error that counts what was not done, nil for nothing.
func notApplied(results []drift.ApplyResult) error {
	count := map[drift.ApplyStatus]int{}
	for _, r := range results {
		count[r.Status]++
	}
	switch left := len(results) - count[drift.ApplyDone]; {
	case left == 0:
		return nil
	case count[drift.ApplyStale]+count[drift.ApplyBlocked] < left:
		return fmt.Errorf("%d of %s not applied", left, counted(len(results), "finding"))
	case count[drift.ApplyStale] > 0:
		return fmt.Errorf("%d of %s not applied: %w", left, counted(len(results), "finding"), runtime.ErrConflict)
	default:
		return fmt.Errorf("%d of %s not applied: %w", left, counted(len(results), "finding"), operation.ErrRefused)
	}
}

func (a *app) releaseBrakes(ctx context.Context, client *httpclient.Client, report drift.Report, sure bool) error {
	if len(report.Brakes) == 0 {
		_, err := fmt.Fprintln(a.streams.Out, "no brake is on")
		return err
	}
	if !sure && !a.confirmed(fmt.Sprintf("Release %s?", counted(len(report.Brakes), "brake"))) {
		return errors.New("nothing was done")
	}
	var faults []error
	for _, b := range report.Brakes {
		at := plain(b.Region + "/" + b.Node)
		if err := client.ReleaseBrake(ctx, b.Region, b.Node); err != nil {
			faults = append(faults, fmt.Errorf("brake of %s: %w", at, err))
			continue
		}
		if _, err := fmt.Fprintf(a.streams.Out, "brake of %s released\n", at); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// confirmed asks whoever sits there.
func (a *app) confirmed(question string) bool {
	fmt.Fprintf(a.streams.Err, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(a.streams.In).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}
