package output

import (
	"fmt"
	"io"
	"strconv"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/drift"
)

// Drift prints the findings of a report.
func (p *Printer) Drift(report drift.Report) error {
	if done, err := p.Encode(report); done {
		return err
	}
	if len(report.Findings) == 0 && p.Format == "" {
		text := "no drift: records and engines agree"
		if len(report.Missing) > 0 {
			text = "no drift on the nodes that responded"
		}
		_, err := fmt.Fprintln(p.Out, text)
		return err
	}
	return p.printTable(p.driftTable(report.Findings))
}

// DriftPreview writes a table of findings to out, before they are applied.
func (p *Printer) DriftPreview(out io.Writer, findings []drift.Finding) error {
	return p.driftTable(findings).Write(out, true, nil)
}

// DriftResults prints the results of applying findings.
func (p *Printer) DriftResults(results []drift.ApplyResult) error {
	if done, err := p.Encode(api.DriftApplied{Results: append([]drift.ApplyResult{}, results...)}); done {
		return err
	}
	if len(results) == 0 && p.Format == "" {
		_, err := fmt.Fprintln(p.Out, "nothing to apply")
		return err
	}
	t := &render.Table{Header: []string{"RESULT", "GAME", "ACTION", "NODE", "REASON"}}
	for _, r := range results {
		t.Add(render.Cell(string(r.Status)), render.Cell(r.GameID), render.Cell(string(r.Action)), render.Cell(r.Region+"/"+r.Node), render.SentenceCell(r.Reason))
	}
	return p.printTable(t)
}

func (p *Printer) driftTable(findings []drift.Finding) *render.Table {
	t := &render.Table{Header: []string{"GAME", "KIND", "ACTION", "NODE", "AGE", "EVIDENCE"}}
	if p.isWide() {
		t.Header = []string{"GAME", "KIND", "ACTION", "NODE", "AGE", "SEEN", "RECORD", "INTENT", "CONTAINER", "ID", "BLOCKED-BY", "EVIDENCE"}
	}
	for _, f := range findings {
		action := render.Cell(string(f.Action))
		if f.BlockedBy != "" && !p.isWide() {
			action += " (blocked)"
		}
		row := []string{render.Value(f.GameID), render.Cell(string(f.Kind)), action, render.Cell(f.Region + "/" + f.Node), p.age(f.FirstSeen)}
		if p.isWide() {
			row = append(row, strconv.Itoa(f.Observations), strconv.FormatInt(f.RecordRevision, 10), strconv.FormatInt(f.IntentRevision, 10),
				render.Cell(f.ContainerID), render.Cell(f.ID), render.SentenceCell(f.BlockedBy))
		}
		t.Add(append(row, render.SentenceCell(f.Evidence))...)
	}
	return t
}
