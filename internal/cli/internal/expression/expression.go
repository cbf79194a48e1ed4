package expression

import (
	"fmt"
	"io"
	"strings"

	"galaxy/rtmanager/internal/cli/internal/render"
)

// Name is the output format that prints the names of what a result has, one per line.
const Name = "name"

// The prefixes of the output formats with an expression.
const (
	prefixJSONPath = "jsonpath="
	prefixTemplate = "go-template="
	prefixColumns  = "custom-columns="
)

// Formats returns the formats for messages.
func Formats() []string {
	return []string{Name, prefixJSONPath + "…", prefixTemplate + "…", prefixColumns + "…"}
}

// Expression selects a part of a result. It is not safe for concurrent use.
type Expression interface {
	// text returns the part of the document as text, without a header if noHeader is set.
	text(document any, noHeader bool) (string, error)
}

// Parse returns the expression of an output format. It returns nil for a format that has none,
// and an error that names the expression for one that is invalid.
func Parse(format string) (Expression, error) {
	kind, text, hasText := strings.Cut(format, "=")
	var parse func(string) (Expression, error)
	switch kind + "=" {
	case Name + "=":
		if hasText {
			return nil, nil
		}
		return nameExpression{}, nil
	case prefixJSONPath:
		parse = parseJSONPath
	case prefixTemplate:
		parse = parseTemplate
	case prefixColumns:
		parse = parseColumns
	default:
		return nil, nil
	}
	if text == "" {
		return nil, fmt.Errorf("%s has no expression; use %s", kind, kind+"="+examples[kind+"="])
	}
	expression, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s is invalid: %w", format, err)
	}
	return expression, nil
}

// examples has an expression for each format with one.
var examples = map[string]string{
	prefixJSONPath: "'{.items[*].game_id}'",
	prefixTemplate: "'{{range .items}}{{.game_id}} {{end}}'",
	prefixColumns:  "GAME:.game_id,NODE:.node",
}

// Encoder prints the part of each value that an expression selects.
type Encoder struct {
	format     string
	expression Expression
	out        io.Writer
	options    Options
}

// Options are the settings of an Encoder.
type Options struct {
	// NoHeader reports whether columns have no header.
	NoHeader bool
	// IsTerminal reports whether the output is a terminal, which values must not control.
	IsTerminal bool
}

// NewEncoder returns an encoder for the output format, nil for a format without an expression. An
// invalid expression is an error of Encode.
func NewEncoder(format string, out io.Writer, options Options) *Encoder {
	expression, err := Parse(format)
	if err != nil {
		expression = invalid{err}
	}
	if expression == nil {
		return nil
	}
	return &Encoder{format: format, expression: expression, out: out, options: options}
}

// Encode prints the part of the value, and ends its line. An error names the expression.
func (e *Encoder) Encode(value any) error {
	document, err := documentOf(value)
	if err != nil {
		return err
	}
	text, err := e.expression.text(document, e.options.NoHeader)
	if err != nil {
		return fmt.Errorf("output %s: %w", e.format, err)
	}
	e.options.NoHeader = true // one header for all values
	if e.options.IsTerminal {
		text = render.Printable(text)
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	_, err = io.WriteString(e.out, text)
	return err
}

// invalid is the expression of a format that is not valid.
type invalid struct{ err error }

func (i invalid) text(any, bool) (string, error) { return "", i.err }
