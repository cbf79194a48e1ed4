package cli

import (
	"bytes"
	"encoding/json"
	"io"

	"sigs.k8s.io/yaml"
)

// encoder writes values as JSON, one a line, byte for byte as the API does, or
// as YAML documents.
type encoder struct {
	out     io.Writer
	yaml    bool
	written int
}

// encoder returns false when the output asked for is one for people.
func (a *app) encoder(out io.Writer) (*encoder, bool) {
	switch a.globals.output {
	case outputJSON:
		return &encoder{out: out}, true
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
	if e.yaml {
		converted, err := yaml.JSONToYAML(data)
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
