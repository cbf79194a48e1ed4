package output

import (
	"bufio"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// RecordStream prints records and then their changes: as the rows of one table, or one value per
// line. It is not safe for concurrent use.
type RecordStream struct {
	printer *Printer
	encoder encoder
	out     *bufio.Writer
	header  []string
	widths  []int             // of the columns without cuts; they only grow
	rows    map[string]string // the last row of each game, without its ages
}

// RecordStream returns a stream that writes to Out.
func (p *Printer) RecordStream() *RecordStream {
	out := bufio.NewWriter(p.Out)
	return &RecordStream{printer: p, encoder: p.newEncoder(out), out: out, rows: map[string]string{}}
}

// changed is a record in a stream.
type changed struct {
	versioned

	Deleted bool `json:"deleted,omitempty"`
}

// Print prints the records, and writes them out.
func (s *RecordStream) Print(records []runtime.VersionedRecord) error {
	if s.encoder != nil {
		for _, v := range records {
			if err := s.encoder.Encode(changed{versioned: versioned{v.Record, v.Revision}}); err != nil {
				return err
			}
		}
		return s.out.Flush()
	}
	table := s.printer.recordTable(records)
	identities := make([]string, len(records))
	for i, row := range table.Rows {
		identities[i] = s.identityOf(row)
	}
	if s.widths == nil {
		s.header = slices.Clone(table.Header)
		s.widths = make([]int, len(table.Header))
		if !s.printer.NoHeaders {
			table.Rows = append([][]string{table.Header}, table.Rows...)
		}
	}
	s.writeRows(table.Rows)
	for i, v := range records {
		s.rows[v.Record.GameID] = identities[i]
	}
	return s.out.Flush()
}

// PrintEvent prints the record of a change, unless its row is the same as the last one of the
// game. Changes are written out at the end of a revision.
func (s *RecordStream) PrintEvent(event ports.RuntimeEvent) error {
	record := event.After
	isDeleted := record == nil && event.GameID != ""
	switch {
	case isDeleted && event.Before != nil:
		record = event.Before
	case isDeleted:
		record = &runtime.RuntimeRecord{GameID: event.GameID} // the last value was unreadable
	case record == nil:
		return nil
	}
	v := runtime.VersionedRecord{Record: *record, Revision: event.Revision}
	if err := s.printChange(v, isDeleted); err != nil || !event.Last {
		return err
	}
	return s.out.Flush()
}

func (s *RecordStream) printChange(v runtime.VersionedRecord, isDeleted bool) error {
	if s.encoder != nil {
		return s.encoder.Encode(changed{versioned{v.Record, v.Revision}, isDeleted})
	}
	table := s.printer.recordTable([]runtime.VersionedRecord{v})
	row := table.Rows[0]
	if isDeleted {
		row[slices.Index(table.Header, "STATUS")] = "deleted"
	}
	identity := s.identityOf(row)
	if s.rows[v.Record.GameID] == identity {
		return nil
	}
	s.rows[v.Record.GameID] = identity
	s.writeRows(table.Rows)
	return nil
}

// identityOf returns the row without the AGE, which changes by itself.
func (s *RecordStream) identityOf(row []string) string {
	const age = 7
	return strings.Join(row[:age], "\t") + "\t" + strings.Join(row[age+1:], "\t")
}

// writeRows writes rows in columns, without writing them out. Flush returns its errors.
func (s *RecordStream) writeRows(rows [][]string) {
	for _, row := range rows {
		for i, cell := range row {
			s.widths[i] = max(s.widths[i], render.Width(cell))
		}
	}
	widths := s.printer.fitRows(s.header, rows, s.widths)
	for _, row := range rows {
		_, _ = s.out.WriteString(render.Row(row, widths, s.printer.statusColor()))
	}
}

// Flush writes out everything that was printed.
func (s *RecordStream) Flush() error { return s.out.Flush() }
