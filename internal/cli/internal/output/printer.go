package output

import (
	"errors"
	"io"
	"time"

	"galaxy/rtmanager/internal/cli/internal/expression"
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

// FormatAnnotation is the annotation of a command with an output format of its own, in
// addition to Formats.
const FormatAnnotation = "rtmanager/output-format"

// Formats returns the names of the formats, those with an expression as in jsonpath=….
func Formats() []string {
	return append([]string{string(FormatTable), string(FormatWide), string(FormatJSON), string(FormatYAML)}, expression.Formats()...)
}

// ParseFormat returns an error unless the text is empty or an output format. The error is
// ErrUnknownFormat, or names an invalid expression.
func ParseFormat(text string) (Format, error) {
	switch format := Format(text); format {
	case "", FormatTable, FormatWide, FormatJSON, FormatYAML:
		return format, nil
	}
	parsed, err := expression.Parse(text)
	if err == nil && parsed == nil {
		err = ErrUnknownFormat
	}
	return Format(text), err
}

// ErrUnknownFormat is the error of a text that is no output format.
var ErrUnknownFormat = errors.New("unknown output format")

// IsDocument reports whether the format prints all of a result, as the API has it, or what an
// expression selects of that.
func (f Format) IsDocument() bool {
	return f != "" && f != FormatTable && f != FormatWide && f != expression.Name
}

// Printer prints results.
type Printer struct {
	// Out receives results, and Err messages about them.
	Out, Err io.Writer
	Format   Format
	// IsTerminal reports whether Out is a terminal. Then long values are shortened.
	IsTerminal bool
	// Width is the number of columns of the terminal, in which the rows of tables fit; 0 if it is
	// not known.
	Width int
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

// Encode prints the value if the format is JSON or YAML or has an expression, and reports whether it did.
func (p *Printer) Encode(value any) (bool, error) {
	encoder := p.newEncoder(p.Out)
	if encoder == nil {
		return false, nil
	}
	return true, encoder.Encode(value)
}

// encoder prints values.
type encoder interface{ Encode(value any) error }

// newEncoder returns an encoder for JSON, YAML or an expression, and nil for another format.
func (p *Printer) newEncoder(out io.Writer) encoder {
	switch p.Format {
	case FormatJSON:
		return render.NewJSONEncoder(out, p.IsTerminal)
	case FormatYAML:
		return render.NewYAMLEncoder(out)
	case FormatTable, FormatWide:
		return nil
	}
	if e := expression.NewEncoder(string(p.Format), out, expression.Options{NoHeader: p.NoHeaders, IsTerminal: p.IsTerminal}); e != nil {
		return e
	}
	return nil
}

func (p *Printer) isWide() bool { return p.Format == FormatWide }

func (p *Printer) printTable(t *render.Table) error {
	p.fitRows(t.Header, t.Rows, t.Widths(!p.NoHeaders))
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
