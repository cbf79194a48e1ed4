package output

import (
	"io"
	"time"

	"galaxy/rtmanager/internal/cli/internal/render"
)

// Format is an output format.
type Format string

// The output formats. The empty Format is a command's own text.
const (
	FormatTable Format = "table"
	FormatWide  Format = "wide"
	FormatJSON  Format = "json"
	FormatYAML  Format = "yaml"
)

// Formats returns the names of the formats.
func Formats() []string {
	return []string{string(FormatTable), string(FormatWide), string(FormatJSON), string(FormatYAML)}
}

// Printer prints results.
type Printer struct {
	// Out receives results, and Err messages about them.
	Out, Err io.Writer
	Format   Format
	// IsTerminal reports whether Out is a terminal. Then long values are shortened.
	IsTerminal bool
	// HasColor reports whether statuses are colored.
	HasColor  bool
	NoHeaders bool
	// LabelColumns are keys of labels that a table of records has columns for. HasLabels reports
	// whether it has a column with all labels.
	LabelColumns []string
	HasLabels    bool
	// Now is the clock that ages are computed with.
	Now func() time.Time
}

// Encode prints the value if the format is JSON or YAML, and reports whether it did.
func (p *Printer) Encode(value any) (bool, error) {
	encoder := p.newEncoder(p.Out)
	if encoder == nil {
		return false, nil
	}
	return true, encoder.Encode(value)
}

// newEncoder returns an encoder for JSON or YAML, and nil for another format.
func (p *Printer) newEncoder(out io.Writer) *render.Encoder {
	switch p.Format {
	case FormatJSON:
		return render.NewJSONEncoder(out, p.IsTerminal)
	case FormatYAML:
		return render.NewYAMLEncoder(out)
	default:
		return nil
	}
}

func (p *Printer) isWide() bool { return p.Format == FormatWide }

func (p *Printer) printTable(t *render.Table) error {
	return t.Write(p.Out, !p.NoHeaders, p.statusColor())
}

// statusColor returns the function that colors a cell, nil without colors.
func (p *Printer) statusColor() func(string) string {
	if !p.HasColor {
		return nil
	}
	return render.ColorStatus
}

// age returns how long ago the time was.
func (p *Printer) age(at time.Time) string { return render.Age(p.Now().Sub(at)) }

// shorten truncates a cell on a terminal, except in the wide format.
func (p *Printer) shorten(cell string, limit int) string {
	if !p.IsTerminal || p.isWide() {
		return cell
	}
	return render.Truncate(cell, limit)
}
