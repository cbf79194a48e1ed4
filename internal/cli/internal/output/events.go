package output

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// EventPrinter prints the events of a watch, one at a time.
type EventPrinter interface {
	Print(event ports.RuntimeEvent) error
}

// Events returns a printer of events that writes to out. The caller flushes out.
func (p *Printer) Events(out *bufio.Writer) EventPrinter {
	if encoder := p.newEncoder(out); encoder != nil {
		return eventEncoder{encoder: encoder, isForGames: p.Format != FormatJSON && p.Format != FormatYAML}
	}
	rows := &eventRows{Printer: p, out: out, isHeaderPending: !p.NoHeaders}
	if p.IsTerminal {
		rows.widths = []int{8, 8, 20, 17, containerLimit, 10}
	}
	return rows
}

// eventEncoder prints events in the format of the API, or what an expression selects of them.
type eventEncoder struct {
	encoder    encoder
	isForGames bool // omits events that are about no game
}

func (e eventEncoder) Print(event ports.RuntimeEvent) error {
	if e.isForGames && event.GameID == "" {
		return nil
	}
	return e.encoder.Encode(api.EventFrom(event))
}

// eventRows prints a line for each event about a record.
type eventRows struct {
	*Printer

	out             *bufio.Writer
	isHeaderPending bool
	// widths are the column widths on a terminal, which longer values increase. It is
	// nil in a pipe, where tabs separate the columns.
	widths []int
	games  int // number of games in the snapshot so far
}

func (e *eventRows) Print(event ports.RuntimeEvent) error {
	switch event.Type {
	case ports.EventSnapshot:
		e.games++
	case ports.EventSynced:
		if !e.IsTerminal {
			return nil
		}
		return e.printMessage(fmt.Sprintf("%s at revision %d; watching for changes", render.Count(e.games, "game"), event.Revision))
	case ports.EventResync:
		e.games = 0
		return e.printMessage(resyncText(event.Reason) + "; restarting with a snapshot")
	case ports.EventBookmark:
		return nil
	default: // a change of a record
		if e.widths != nil && isUnchangedForPeople(event) {
			return nil
		}
	}
	if e.isHeaderPending {
		e.isHeaderPending = false
		if err := e.printLine(e.header()); err != nil {
			return err
		}
	}
	return e.printLine(e.row(event))
}

func resyncText(reason ports.ResyncReason) string {
	switch reason {
	case ports.ResyncCompacted:
		return "the revision has been compacted"
	case ports.ResyncOtherStore:
		return "the revision belongs to another store"
	case ports.ResyncFutureRevision:
		return "the store has not reached the revision, perhaps because it was restored"
	default:
		return "the watch cannot continue from the revision"
	}
}

// printMessage prints a message after the events before it.
func (e *eventRows) printMessage(text string) error {
	err := e.out.Flush()
	fmt.Fprintf(e.Err, "rtmanager: watch: %s\n", text)
	return err
}

func (e *eventRows) header() []string {
	if e.widths != nil {
		return []string{"TIME", "REVISION", "GAME", "CHANGE", "CONTAINER", "NODE", "IMAGE"}
	}
	header := []string{"TIME", "REVISION", "EVENT", "GAME", "FROM", "TO", "CONTAINER", "NODE"}
	if e.isWide() {
		header = append(header, "REGION", "IMAGE")
	}
	return header
}

func (e *eventRows) row(event ports.RuntimeEvent) []string {
	record, from, to := event.After, "", ""
	if event.Before != nil {
		from = eventStatus(*event.Before)
	}
	if event.After != nil {
		to = eventStatus(*event.After)
	}
	if record == nil {
		record = event.Before
	}
	if record == nil {
		record = &runtime.RuntimeRecord{} // deleted, and the last value was unreadable
	}
	revision, node := strconv.FormatInt(event.Revision, 10), render.Cell(record.Node)
	if e.widths != nil {
		return []string{
			record.LastOpAt.UTC().Format("15:04:05"), revision, render.Value(event.GameID), eventChange(event.Type, from, to),
			e.shorten(render.Cell(record.CurrentContainerID), containerLimit), node, render.Cell(record.CurrentImageRef),
		}
	}
	row := []string{
		render.Time(record.LastOpAt), revision, string(event.Type), render.Value(event.GameID),
		render.Cell(from), render.Cell(to), render.Cell(record.CurrentContainerID), node,
	}
	if e.isWide() {
		row = append(row, render.Cell(record.Region), render.Cell(record.CurrentImageRef))
	}
	return row
}

// isUnchangedForPeople reports whether a row of a terminal would show the same before and after
// the event, such as a change of the operation in progress.
func isUnchangedForPeople(event ports.RuntimeEvent) bool {
	if event.Type != ports.EventUpserted || event.Before == nil || event.After == nil {
		return false
	}
	before, after := *event.Before, *event.After
	return eventStatus(before) == eventStatus(after) && before.WithCondition(after.Condition).Equal(after)
}

// eventStatus returns the status of a record as an event shows it, with the part of the condition
// that makes the status misleading.
func eventStatus(r runtime.RuntimeRecord) string {
	if r.NodeLostAt == nil && !r.CrashLoop && r.Health == runtime.HealthUnhealthy {
		return string(r.Status) + " (unhealthy)"
	}
	return StatusText(r)
}

// eventChange describes the change of status.
func eventChange(kind ports.EventType, from, to string) string {
	switch kind {
	case ports.EventSnapshot:
		return to
	case ports.EventDeleted:
		return render.Cell(from) + " → deleted"
	default:
		return render.Change(from, to)
	}
}

func (e *eventRows) printLine(cells []string) error {
	if e.widths == nil {
		_, err := io.WriteString(e.out, strings.Join(cells, "\t")+"\n")
		return err
	}
	for i := range e.widths {
		e.widths[i] = max(e.widths[i], render.Width(cells[i]))
	}
	widths := e.fitRows(e.header(), [][]string{cells}, append(e.widths, render.Width(cells[len(cells)-1])))
	_, err := io.WriteString(e.out, render.Row(cells, widths, e.statusColor()))
	return err
}
