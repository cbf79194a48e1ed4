package output

import (
	"strconv"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
)

// History prints the ledger entries of a game. JSON and YAML include the corrupt entries.
func (p *Printer) History(gameID string, entries []runtime.LedgerEntry, corrupt []*runtime.CorruptError) error {
	if done, err := p.Encode(api.History{GameID: gameID, Items: entries, Corrupt: api.CorruptFrom(corrupt)}); done {
		return err
	}
	t := &render.Table{Header: []string{"SEQ", "AT", "CHANGE", "CONTAINER", "REVISION", "REASON"}}
	if p.isWide() {
		t.Header = append(t.Header, "IMAGE", "ACTOR", "OPERATION")
	}
	for _, e := range entries {
		row := []string{
			strconv.FormatInt(e.Seq, 10), render.Time(e.At), render.Change(string(e.From), string(e.To)),
			p.shorten(render.Cell(e.ContainerID), containerLimit), strconv.FormatInt(e.Revision, 10), render.SentenceCell(e.Reason),
		}
		if p.isWide() {
			row = append(row, render.Cell(e.Image), render.Cell(e.Actor), render.Cell(e.OperationID))
		}
		t.Add(row...)
	}
	return p.printTable(t)
}
