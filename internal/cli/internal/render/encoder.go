package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v2"
)

// Encoder writes values for programs: as JSON, one value per line and byte for byte as
// the API does, or as YAML documents.
type Encoder struct {
	out        io.Writer
	isYAML     bool
	isTerminal bool // escape characters that cannot be printed; the value stays the same
	documents  int
}

// NewJSONEncoder returns an encoder for JSON. If out is a terminal, it escapes characters
// that cannot be printed.
func NewJSONEncoder(out io.Writer, isTerminal bool) *Encoder {
	return &Encoder{out: out, isTerminal: isTerminal}
}

// NewYAMLEncoder returns an encoder for YAML.
func NewYAMLEncoder(out io.Writer) *Encoder { return &Encoder{out: out, isYAML: true} }

// Encode writes one value.
func (e *Encoder) Encode(value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	data := text.Bytes()
	switch {
	case e.isTerminal:
		data = escape(data, isUnprintable)
	case e.isYAML:
		// The conversion parses JSON as YAML. It would fold U+0085 into a blank, rejects
		// other control characters, and does not know escapes of surrogate pairs.
		converted, err := toYAML(escape(data, func(r rune) bool { return r <= 0xFFFF && isUnprintable(r) }))
		if err != nil {
			return err
		}
		data = converted
		if e.documents > 0 {
			data = append([]byte("---\n"), converted...)
		}
	}
	e.documents++
	_, err := e.out.Write(data)
	return err
}

// toYAML converts a JSON document to YAML, with the members of objects in the same order.
func toYAML(document []byte) ([]byte, error) {
	if !bytes.HasPrefix(document, []byte("{")) {
		var value any
		if err := yaml.Unmarshal(document, &value); err != nil {
			return nil, err
		}
		return yaml.Marshal(value)
	}
	var members yaml.MapSlice
	if err := yaml.Unmarshal(document, &members); err != nil {
		return nil, err
	}
	return yaml.Marshal(members)
}

func isUnprintable(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }

// escape replaces the matching characters by JSON escapes. They occur only inside JSON
// strings, so the value stays the same.
func escape(data []byte, matches func(rune) bool) []byte {
	var out []byte
	for _, r := range string(data) {
		switch {
		case !matches(r):
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
