package output

import (
	"bufio"
	"fmt"
	"strconv"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/ports"
)

// GameEventPrinter prints the events of games, one at a time.
type GameEventPrinter interface {
	Print(event api.GameEvent) error
}

// GameEvents returns a printer of events that writes to out. It omits bookmarks. The caller flushes out.
func (p *Printer) GameEvents(out *bufio.Writer) GameEventPrinter {
	if encoder := p.newEncoder(out); encoder != nil {
		return gameEventEncoder{encoder: encoder, isForGames: p.Format != FormatJSON && p.Format != FormatYAML}
	}
	rows := &gameEventRows{eventRows: eventRows{Printer: p, out: out, isHeaderPending: !p.NoHeaders}}
	if p.IsTerminal {
		rows.widths = []int{8, 8, 18, 20, 12}
	}
	return rows
}

// gameEventEncoder prints events in the format of the API, or what an expression selects of them.
type gameEventEncoder struct {
	encoder    encoder
	isForGames bool // omits elements that are about no game
}

func (e gameEventEncoder) Print(event api.GameEvent) error {
	if event.Type == api.TypeBookmark || e.isForGames && event.GameID == "" {
		return nil
	}
	return e.encoder.Encode(event)
}

// gameEventRows prints a line for each event.
type gameEventRows struct{ eventRows }

func (e *gameEventRows) Print(event api.GameEvent) error {
	switch event.Type {
	case api.TypeBookmark:
		return nil
	case api.TypeResync:
		err := e.out.Flush()
		fmt.Fprintf(e.Err, "rtmanager: events: %s; events are missing\n", resyncText(ports.ResyncReason(event.Reason)))
		return err
	}
	if e.isHeaderPending {
		e.isHeaderPending = false
		header := []string{"TIME", "REVISION", "EVENT", "GAME", "NODE", "DESCRIPTION"}
		if e.isWide() {
			header = append(header, "ACTOR", "OPERATION")
		}
		if err := e.printLine(header); err != nil {
			return err
		}
	}
	at := ""
	switch {
	case event.Time == nil:
	case e.widths != nil:
		at = event.Time.UTC().Format("15:04:05")
	default:
		at = render.Time(*event.Time)
	}
	row := []string{
		render.Cell(at), strconv.FormatInt(event.Revision, 10), render.Value(event.Type), render.Value(event.GameID), render.Cell(event.Region + "/" + event.Node), render.SentenceCell(event.Text),
	}
	if e.isWide() {
		row = append(row, render.Cell(event.Actor), render.Cell(event.OperationID))
	}
	return e.printLine(row)
}
