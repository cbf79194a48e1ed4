package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	yamlreader "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"
)

// splitDocuments splits a JSON or YAML text, and returns each document as JSON.
func splitDocuments(text []byte) ([]jsontext.Value, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	start := bytes.TrimSpace(text)
	if len(start) == 0 || start[0] != '{' && start[0] != '[' {
		return convertYAML(text)
	}
	documents, err := splitJSON(text)
	if err != nil {
		// YAML may start with a brace too, and then continue where JSON does not.
		if converted, errYAML := convertYAML(text); errYAML == nil {
			return converted, nil
		}
	}
	return documents, err
}

func splitJSON(text []byte) ([]jsontext.Value, error) {
	var documents []jsontext.Value
	decoder := jsontext.NewDecoder(bytes.NewReader(text))
	for {
		document, err := decoder.ReadValue()
		switch {
		case errors.Is(err, io.EOF):
			return documents, nil
		case err != nil:
			return nil, fmt.Errorf("document %d: not JSON: %s", len(documents)+1, strings.TrimPrefix(err.Error(), "jsontext: "))
		}
		documents = append(documents, document.Clone())
	}
}

func convertYAML(text []byte) ([]jsontext.Value, error) {
	var documents []jsontext.Value
	for i, part := range splitYAML(string(text)) {
		converted, err := convertDocument(part)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		if string(converted) != "null" { // only blank lines and comments
			documents = append(documents, converted)
		}
	}
	return documents, nil
}

// convertDocument converts one YAML document to JSON. It returns null for a document
// without content. It fails if content follows the end of the document, because the
// conversion would ignore it.
func convertDocument(text string) (jsontext.Value, error) {
	switch {
	case strings.TrimSpace(text) == "": // a single tab would be an error
		return jsontext.Value("null"), nil
	case !utf8.ValidString(text):
		return nil, errors.New("is not UTF-8 text")
	}
	reader := yamlreader.NewDecoder(strings.NewReader(text))
	for range 2 {
		err := reader.Decode(new(any))
		if errors.Is(err, io.EOF) {
			return yaml.YAMLToJSONStrict([]byte(text))
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, errors.New("continues after its end")
}

// splitYAML splits the text at the lines that start or end a document, because the library
// reads only the first document. No other line of YAML can start with these markers.
func splitYAML(text string) []string {
	parts := []string{""}
	for line := range strings.Lines(text) {
		part := &parts[len(parts)-1]
		switch {
		case isMarker(line, "---") && hasOnlyDirectives(*part):
			*part += line // of the same document
		case isMarker(line, "---"):
			parts = append(parts, strings.TrimPrefix(line, "---"))
		case isMarker(line, "..."):
			parts = append(parts, "")
		default:
			*part += line
		}
	}
	return parts
}

func isMarker(line, marker string) bool {
	rest, found := strings.CutPrefix(line, marker)
	return found && (rest == "" || strings.ContainsAny(rest[:1], " \t\r\n"))
}

// hasOnlyDirectives reports whether the text has directives, such as "%YAML 1.2", and no
// content. Directives precede a document and belong to it.
func hasOnlyDirectives(text string) bool {
	found := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "%"):
			found = true
		case strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#"):
			return false
		}
	}
	return found
}
