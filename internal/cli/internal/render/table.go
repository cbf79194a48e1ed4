package render

import (
	"bufio"
	"io"
	"strings"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Table is rows of cells under a header, in columns separated by two blanks. It pads the
// cells itself because text/tabwriter counts color escapes as width.
type Table struct {
	Header []string
	Rows   [][]string
}

// Add appends a row.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Write writes the table, without its header unless withHeader is set. It passes each
// cell through color, if that is not nil.
func (t *Table) Write(out io.Writer, withHeader bool, color func(string) string) error {
	rows, widths := t.lines(withHeader), t.Widths(withHeader)
	buffered := bufio.NewWriter(out)
	for _, row := range rows {
		_, _ = buffered.WriteString(Row(row, widths, color)) // Flush returns the error
	}
	return buffered.Flush()
}

// lines returns the rows, after the header if it is included.
func (t *Table) lines(withHeader bool) [][]string {
	if withHeader {
		return append([][]string{t.Header}, t.Rows...)
	}
	return t.Rows
}

// Widths returns the width of each column, with its header if that is included.
func (t *Table) Widths(withHeader bool) []int {
	widths := make([]int, len(t.Header))
	for _, row := range t.lines(withHeader) {
		for i, text := range row {
			widths[i] = max(widths[i], Width(text))
		}
	}
	return widths
}

// Row returns a line of cells padded to the widths. It does not pad the last cell, so the
// line has no blanks at its end.
func Row(cells []string, widths []int, color func(string) string) string {
	var b strings.Builder
	for i, text := range cells {
		if color != nil {
			b.WriteString(color(text))
		} else {
			b.WriteString(text)
		}
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", max(0, widths[i]-Width(text))+2))
		}
	}
	b.WriteByte('\n')
	return b.String()
}

// ColorStatus colors the last status in a cell that contains nothing but statuses.
func ColorStatus(text string) string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return text
	}
	last := words[len(words)-1]
	color := statusColor(runtime.Status(last))
	if color == "" || len(words) > 1 && words[len(words)-2] != "→" {
		return text
	}
	return strings.TrimSuffix(text, last) + color + last + "\x1b[0m"
}

func statusColor(status runtime.Status) string {
	switch status {
	case runtime.StatusRunning:
		return "\x1b[32m"
	case runtime.StatusStopped:
		return "\x1b[33m"
	case runtime.StatusRemoved:
		return "\x1b[90m"
	}
	return ""
}
