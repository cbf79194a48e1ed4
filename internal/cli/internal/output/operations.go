package output

import (
	"fmt"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
)

// Operations prints operations.
func (p *Printer) Operations(operations api.OperationList) error {
	if done, err := p.Encode(operations); done {
		return err
	}
	if len(operations.Items) == 0 {
		_, err := fmt.Fprintln(p.Err, "rtmanager: operations: none")
		return err
	}
	t := &render.Table{Header: []string{"ID", "KIND", "GAME", "STATUS", "STEP", "NODE", "AGE", "ACTOR"}}
	if p.isWide() {
		t.Header = append(t.Header, "REASON", "FAILURE")
	}
	for _, o := range operations.Items {
		t.Add(p.operationRow(o)...)
	}
	return p.printTable(t)
}

// Operation prints one operation.
func (p *Printer) Operation(o api.OperationResource) error {
	if done, err := p.Encode(o); done {
		return err
	}
	if err := p.Operations(api.OperationList{Items: []api.OperationResource{o}}); err != nil || o.Failure == nil {
		return err
	}
	_, err := fmt.Fprintf(p.Out, "\n%s: %s\n", o.Failure.Code, render.Printable(o.Failure.Message))
	return err
}

// Accepted prints an operation that was accepted and continues: with its id.
func (p *Printer) Accepted(result api.OperationResult) error {
	if done, err := p.Encode(result); done {
		return err
	}
	_, err := fmt.Fprintf(p.Out, "%s %s: accepted, operation %s\n", render.Value(result.GameID), result.Kind, render.Value(result.OperationID))
	return err
}

func (p *Printer) operationRow(o api.OperationResource) []string {
	row := []string{
		render.Cell(o.ID), render.Cell(string(o.Kind)), render.Cell(o.GameID), render.Cell(string(o.Status)), render.Cell(string(o.Step)),
		render.Cell(o.Region + "/" + o.Node), render.Age(p.Now().Sub(o.StartedAt).Round(time.Second)), render.Cell(o.Actor),
	}
	if o.Node == "" {
		row[5] = "-"
	}
	if p.isWide() {
		failure := ""
		if o.Failure != nil {
			failure = o.Failure.Message
		}
		row = append(row, render.SentenceCell(o.Reason), render.SentenceCell(failure))
	}
	return row
}
