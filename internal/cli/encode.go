package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// encoder writes values as JSON, one a line, byte for byte as the API does, or
// as YAML documents.
type encoder struct {
	out      io.Writer
	yaml     bool
	terminal bool // a person reads it: what cannot be printed is escaped, with the same meaning
	written  int
}

// encoder returns false when the output asked for is one for people.
func (a *app) encoder(out io.Writer) (*encoder, bool) {
	switch a.globals.output {
	case outputJSON:
		return &encoder{out: out, terminal: a.globals.terminal}, true
	case outputYAML:
		return &encoder{out: out, yaml: true}, true
	}
	return nil, false
}

func (e *encoder) encode(value any) error {
	var text bytes.Buffer
	asJSON := json.NewEncoder(&text)
	asJSON.SetEscapeHTML(false)
	if err := asJSON.Encode(value); err != nil {
		return err
	}
	data := text.Bytes()
	switch {
	case e.terminal:
		data = escape(data, unprintable)
	case e.yaml:
		// The conversion reads JSON as YAML, which would fold U+0085 into a blank
		// and refuses other controls; escapes of two halves it does not know.
		converted, err := yaml.JSONToYAML(escape(data, func(r rune) bool { return r <= 0xFFFF && unprintable(r) }))
		if err != nil {
			return err
		}
		data = converted
		if e.written > 0 {
			data = append([]byte("---\n"), converted...)
		}
	}
	e.written++
	_, err := e.out.Write(data)
	return err
}

func unprintable(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }

// escape writes the letters that are odd as JSON escapes. They stand in texts
// only, so the value stays what it was.
func escape(data []byte, odd func(rune) bool) []byte {
	var out []byte
	for _, r := range string(data) {
		switch {
		case !odd(r):
			out = utf8.AppendRune(out, r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}
