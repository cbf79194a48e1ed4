package output

import "galaxy/rtmanager/internal/cli/internal/render"

// cut is how a terminal shortens a column.
type cut struct {
	minimum int // in columns of the terminal
	shorten func(text string, limit int) string
}

// cuts are the columns, by their headers, that a terminal shortens until a row fits into a line.
var cuts = map[string]cut{
	"GAME":      {10, render.CutMiddle},
	"NODE":      {6, render.CutMiddle},
	"CONTAINER": {9, render.CutEnd},
	"IMAGE":     {10, render.CutImage},
	"API":       {12, render.CutMiddle},
	"URL":       {12, render.CutMiddle},
	"SERVER":    {12, render.CutMiddle},
	"LABELS":    {12, render.CutEnd},
}

// sentences are the headers of last columns that may continue on the next line of a terminal.
var sentences = map[string]bool{"REASON": true, "EVIDENCE": true, "FAILURE": true}

// doesFit reports whether the rows of tables have to fit into the lines of a terminal.
func (p *Printer) doesFit() bool { return p.IsTerminal && p.Width > 0 && !p.isWide() }

// fitRows shortens the cells of the rows to the width of the terminal, given the widths of the
// columns, and returns the widths that remain.
func (p *Printer) fitRows(header []string, rows [][]string, widths []int) []int {
	if !p.doesFit() {
		return widths
	}
	needed, minima := append([]int{}, widths...), make([]int, len(widths))
	for i, name := range header {
		minima[i] = cuts[name].minimum
		if sentences[name] {
			needed[i] = render.Width(name)
		}
	}
	fitted := render.Fit(needed, minima, p.Width)
	for _, row := range rows {
		for i, name := range header {
			if cut, isCut := cuts[name]; isCut {
				row[i] = cut.shorten(row[i], fitted[i])
			}
		}
	}
	for i, name := range header {
		if sentences[name] {
			fitted[i] = widths[i]
		}
	}
	return fitted
}
