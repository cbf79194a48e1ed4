package cli

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// eventPrinter writes the events of a watch, one at a time.
type eventPrinter interface {
	print(event ports.RuntimeEvent) error
}

func (a *app) eventPrinter(out *bufio.Writer) eventPrinter {
	if encoder, ok := a.encoder(out); ok {
		return apiEvents{encoder}
	}
	rows := &eventRows{app: a, out: out, headers: !a.globals.noHeaders}
	if a.globals.terminal {
		rows.widths = []int{8, 8, 20, 17, shortContainer, 10}
	}
	return rows
}

// apiEvents writes events in the API's own form.
type apiEvents struct{ encoder *encoder }

func (p apiEvents) print(event ports.RuntimeEvent) error {
	return p.encoder.encode(api.EventFrom(event))
}

// eventRows writes a line for each event that tells of a record.
type eventRows struct {
	app     *app
	out     *bufio.Writer
	headers bool  // still to be written
	widths  []int // of a terminal's columns; nil in a pipe. Longer values widen them.
	games   int   // in the snapshot so far
}

func (p *eventRows) print(event ports.RuntimeEvent) error {
	switch event.Type {
	case ports.EventSnapshot:
		p.games++
	case ports.EventSynced:
		if !p.app.globals.terminal {
			return nil
		}
		return p.say(fmt.Sprintf("that was %s as of revision %d; changes follow", counted(p.games, "game"), event.Revision))
	case ports.EventResync:
		p.games = 0
		return p.say("the store has forgotten what followed; starting over with a snapshot")
	case ports.EventBookmark:
		return nil
	default: // tells of a record
	}
	if p.headers {
		p.headers = false
		if err := p.line(p.header()); err != nil {
			return err
		}
	}
	return p.line(p.row(event))
}

// say talks to a person, who must have seen first what came before.
func (p *eventRows) say(text string) error {
	err := p.out.Flush()
	fmt.Fprintf(p.app.streams.Err, "rtmanager: watch: %s\n", text)
	return err
}

func (p *eventRows) header() []string {
	if p.widths != nil {
		return []string{"TIME", "REVISION", "GAME", "CHANGE", "CONTAINER", "NODE", "IMAGE"}
	}
	header := []string{"TIME", "REVISION", "EVENT", "GAME", "FROM", "TO", "CONTAINER", "NODE"}
	if p.app.globals.output == outputWide {
		header = append(header, "REGION", "IMAGE")
	}
	return header
}

func (p *eventRows) row(event ports.RuntimeEvent) []string {
	about, from, to := event.After, "", ""
	if event.Before != nil {
		from = string(event.Before.Status)
	}
	if event.After != nil {
		to = string(event.After.Status)
	}
	if about == nil {
		about = event.Before
	}
	if about == nil {
		about = &runtime.RuntimeRecord{} // deleted, and what it was could not be read
	}
	revision, node := strconv.FormatInt(event.Revision, 10), cell(about.Node)
	if p.widths != nil {
		return []string{
			about.LastOpAt.UTC().Format("15:04:05"), revision, plain(event.GameID), change(event.Type, from, to),
			p.app.short(cell(about.CurrentContainerID), shortContainer), node, p.app.short(cell(about.CurrentImageRef), shortImage),
		}
	}
	row := []string{
		instant(about.LastOpAt), revision, string(event.Type), plain(event.GameID),
		cell(from), cell(to), cell(about.CurrentContainerID), node,
	}
	if p.app.globals.output == outputWide {
		row = append(row, cell(about.Region), cell(about.CurrentImageRef))
	}
	return row
}

// change says in a person's words what happened to the status.
func change(kind ports.EventType, from, to string) string {
	switch kind {
	case ports.EventSnapshot:
		return to
	case ports.EventDeleted:
		return cell(from) + " → deleted"
	default:
		return arrow(from, to)
	}
}

func (p *eventRows) line(cells []string) error {
	if p.widths == nil {
		_, err := io.WriteString(p.out, strings.Join(cells, "\t")+"\n")
		return err
	}
	for i := range p.widths {
		p.widths[i] = max(p.widths[i], columns(cells[i]))
	}
	_, err := io.WriteString(p.out, line(cells, p.widths, p.app.globals.painter()))
	return err
}
