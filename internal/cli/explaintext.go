package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// sinceWhen is the instant at which the record came to its status.
func sinceWhen(r runtime.RuntimeRecord) time.Time {
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

// because puts a ledger entry into words.
func because(e runtime.LedgerEntry) string {
	text := arrow(string(e.From), string(e.To))
	if e.Actor != "" {
		text += " by " + plain(e.Actor)
	}
	if e.Reason != "" {
		text += ": " + oneLine(e.Reason)
	}
	return text
}

// presence says whether the record's node is there.
func presence(r runtime.RuntimeRecord, nodes api.Nodes, known bool) string {
	switch {
	case !known:
		return ""
	case slices.ContainsFunc(nodes.Items, func(n node.Node) bool { return n.Region == r.Region && n.Name == r.Node }):
		return ", which is present"
	default:
		return ", which is not present"
	}
}

func (a *app) containerText(c container.Container) string {
	text := plain(string(c.State))
	switch {
	case c.ExitCode != nil:
		text += fmt.Sprintf(" with %d", *c.ExitCode)
		if c.OOMKilled {
			text += ", killed for want of memory"
		}
		if c.ExitedAt != nil {
			text += fmt.Sprintf(", %s ago", age(a.streams.Now().Sub(*c.ExitedAt)))
		}
	case c.State == container.StateRunning && c.StartedAt != nil:
		text += fmt.Sprintf(" for %s", age(a.streams.Now().Sub(*c.StartedAt)))
	}
	return text
}

func (a *app) operationText(op operation.Operation) string {
	text := fmt.Sprintf("%s %s on %s, %s for %s", plain(string(op.Kind)), plain(op.ID), plain(op.Region+"/"+op.Node),
		strings.ReplaceAll(plain(string(op.Step)), "_", " "), age(a.streams.Now().Sub(op.StepAt)))
	if op.Actor != "" {
		text += ", asked for by " + plain(op.Actor)
	}
	if op.Failure != nil {
		text += ": " + oneLine(op.Failure.Message)
	}
	return text
}

func (a *app) historyOf(entries []runtime.LedgerEntry) *table {
	t := &table{header: []string{"AT", "CHANGE", "BY", "REASON"}}
	for _, e := range entries[:min(len(entries), explainedEntries)] {
		t.add(instant(e.At), arrow(string(e.From), string(e.To)), cell(e.Actor), reasonCell(e.Reason))
	}
	return t
}

func (a *app) outcomesOf(intent *operation.Intent) *table {
	t := &table{header: []string{"ENDED", "OPERATION", "TOOK", "BY", "RESULT"}}
	if intent == nil {
		return t
	}
	for _, o := range intent.Recent[:min(len(intent.Recent), explainedOutcomes)] {
		result := "done"
		if o.Failure != nil {
			result = oneLine(string(o.Failure.Code) + ": " + o.Failure.Message)
		}
		t.add(instant(o.FinishedAt), cell(string(o.Kind)), age(o.FinishedAt.Sub(o.StartedAt)), cell(o.Actor), result)
	}
	return t
}

// containersOf lists what else there is besides the record's own container.
func (a *app) containersOf(page drift.Explanation) *table {
	t := &table{header: []string{"CONTAINER", "STATE", "GENERATION", "IMAGE"}}
	if len(page.Containers) == 1 && page.Record != nil && page.Containers[0].ID == page.Record.CurrentContainerID {
		return t // which the summary has told of
	}
	for _, c := range page.Containers {
		t.add(cell(c.ID), a.containerText(c), strconv.FormatInt(c.Labels.Generation, 10), cell(c.Image))
	}
	return t
}
