package output

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/hostile"
)

// A record with as few fields as possible leaves no blanks at the end of a line.
func TestNoTrailingBlanks(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, record := range []runtime.RuntimeRecord{
		{},
		{GameID: "a ", Node: " ", Region: "\n", StatePath: "x ", Status: "running ", CreatedAt: at},
		{GameID: strings.Repeat("g", 256), CurrentContainerID: strings.Repeat("c", 64), CurrentImageRef: strings.Repeat("i", 64)},
	} {
		for _, format := range []Format{"", FormatTable, FormatWide} {
			for _, terminal := range []bool{false, true} {
				p := &Printer{Now: func() time.Time { return at }, Format: format, IsTerminal: terminal}
				versioned := runtime.VersionedRecord{Record: record, Revision: 7}
				for _, table := range []*render.Table{p.recordTable([]runtime.VersionedRecord{versioned}), p.fieldTable(versioned)} {
					var text bytes.Buffer
					require.NoError(t, table.Write(&text, true, nil))
					for line := range strings.Lines(strings.TrimLeft(text.String(), " \n")) { // fieldTable has no header
						require.Equal(t, strings.TrimRight(line, " \t\n")+"\n", line, "format %q of %+v:\n%s", format, record, &text)
					}
				}
			}
		}
	}
}

func TestEveryRowHasACellForEachColumn(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{FormatTable, FormatWide} {
		p := &Printer{Now: time.Now, Format: format}
		table := p.recordTable(make([]runtime.VersionedRecord, 2))
		require.Len(t, table.Rows, 2)
		for _, row := range table.Rows {
			require.Len(t, row, len(table.Header), "format %s", format)
			require.NotContains(t, row, "", "format %s: an empty cell is a dash", format)
		}
	}
}

// A value that a terminal's table shortens is printable too.
func TestShortenedValuesArePrintable(t *testing.T) {
	t.Parallel()
	p := &Printer{IsTerminal: true}
	for _, text := range hostile.Texts() {
		shown := p.shorten(render.Cell(text), containerLimit)
		hostile.RequirePrintable(t, shown, text)
		require.NotEqual(t, text, shown)
	}
}
