package cli

import (
	"bufio"
	"io"
	"strings"

	"galaxy/rtmanager/internal/domain/runtime"
)

// table is rows of cells under a header, in columns two blanks apart. It pads
// by itself because text/tabwriter takes colours for width.
type table struct {
	header []string
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write writes the table; paint colours one cell's text, nil for none.
func (t *table) write(out io.Writer, headers bool, paint func(string) string) error {
	all := t.rows
	if headers {
		all = append([][]string{t.header}, t.rows...)
	}
	widths := make([]int, len(t.header))
	for _, row := range all {
		for i, text := range row {
			widths[i] = max(widths[i], columns(text))
		}
	}
	buffered := bufio.NewWriter(out)
	for _, row := range all {
		_, _ = buffered.WriteString(line(row, widths, paint)) // Flush gives the error
	}
	return buffered.Flush()
}

// line pads the cells but the last, which would only leave blanks at the end.
func line(cells []string, widths []int, paint func(string) string) string {
	var b strings.Builder
	for i, text := range cells {
		if paint != nil {
			b.WriteString(paint(text))
		} else {
			b.WriteString(text)
		}
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", max(0, widths[i]-columns(text))+2))
		}
	}
	b.WriteByte('\n')
	return b.String()
}

// painter returns what colours a cell, nil without colours.
func (g *globals) painter() func(string) string {
	if !g.color() {
		return nil
	}
	return paintStatus
}

// paintStatus colours the last status word of a cell that is made of nothing
// but status words.
func paintStatus(text string) string {
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
