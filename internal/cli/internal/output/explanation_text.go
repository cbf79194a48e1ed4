package output

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// statusSince returns the time at which the record reached its status.
func statusSince(r runtime.RuntimeRecord) time.Time {
	var at *time.Time
	switch r.Status {
	case runtime.StatusRunning:
		at = r.StartedAt
	case runtime.StatusStopped:
		at = r.StoppedAt
	case runtime.StatusRemoved:
		at = r.RemovedAt
	}
	if at == nil {
		return r.LastOpAt
	}
	return *at
}

// changeText describes a ledger entry: the change, the actor and the reason.
func changeText(e runtime.LedgerEntry) string {
	text := render.Change(string(e.From), string(e.To))
	if e.Actor != "" {
		text += " by " + render.Value(e.Actor)
	}
	if e.Reason != "" {
		text += ": " + render.OneLine(e.Reason)
	}
	return text
}

// presenceText describes whether the record's node is present.
func presenceText(r runtime.RuntimeRecord, nodes *api.Nodes) string {
	switch {
	case nodes == nil:
		return ""
	case slices.ContainsFunc(nodes.Items, func(n api.Node) bool { return n.IsReady() && n.Region == r.Region && n.Name == r.Node }):
		return ", present"
	default:
		return ", not present"
	}
}

func (p *Printer) containerText(c container.Container) string {
	text := render.Value(string(c.State))
	switch {
	case c.ExitCode != nil:
		text += fmt.Sprintf(" with code %d", *c.ExitCode)
		if c.OOMKilled {
			text += ", OOM killed"
		}
		if c.ExitedAt != nil {
			text += fmt.Sprintf(", %s ago", p.age(*c.ExitedAt))
		}
	case c.State == container.StateRunning && c.StartedAt != nil:
		text += fmt.Sprintf(" for %s", p.age(*c.StartedAt))
	}
	return text
}

func (p *Printer) operationText(op operation.Operation) string {
	text := fmt.Sprintf("%s %s on %s, %s for %s", render.Value(string(op.Kind)), render.Value(op.ID), render.Value(op.Region+"/"+op.Node),
		strings.ReplaceAll(render.Value(string(op.Step)), "_", " "), p.age(op.StepAt))
	if op.Actor != "" {
		text += ", requested by " + render.Value(op.Actor)
	}
	if op.Failure != nil {
		text += ": " + render.OneLine(op.Failure.Message)
	}
	return text
}

func entryTable(entries []runtime.LedgerEntry) *render.Table {
	t := &render.Table{Header: []string{"AT", "CHANGE", "BY", "REASON"}}
	for _, e := range entries[:min(len(entries), maxHistoryEntries)] {
		t.Add(render.Time(e.At), render.Change(string(e.From), string(e.To)), render.Cell(e.Actor), render.SentenceCell(e.Reason))
	}
	return t
}

func outcomeTable(intent *operation.Intent) *render.Table {
	t := &render.Table{Header: []string{"FINISHED", "OPERATION", "DURATION", "BY", "RESULT"}}
	if intent == nil {
		return t
	}
	for _, o := range intent.Recent[:min(len(intent.Recent), maxOutcomes)] {
		result := "done"
		if o.Failure != nil {
			result = render.OneLine(string(o.Failure.Code) + ": " + o.Failure.Message)
		}
		t.Add(render.Time(o.FinishedAt), render.Cell(string(o.Kind)), render.Age(o.FinishedAt.Sub(o.StartedAt)), render.Cell(o.Actor), result)
	}
	return t
}

// containerTable lists the game's containers. It has no rows if the only container is the
// one that the summary shows.
func (p *Printer) containerTable(page drift.Explanation) *render.Table {
	t := &render.Table{Header: []string{"CONTAINER", "STATE", "GENERATION", "IMAGE"}}
	if len(page.Containers) == 1 && page.Record != nil && page.Containers[0].ID == page.Record.CurrentContainerID {
		return t
	}
	for _, c := range page.Containers {
		t.Add(render.Cell(c.ID), p.containerText(c), strconv.FormatInt(c.Labels.Generation, 10), render.Cell(c.Image))
	}
	return t
}
