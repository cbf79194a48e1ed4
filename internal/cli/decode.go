package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	yamlreader "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

// decodeRecords reads records from JSON, one value after the other, or from
// YAML documents. Each is a record, a list of records, or the object that list
// prints, with such a list as "items". Nothing at all is an error.
func decodeRecords(text []byte) ([]runtime.RuntimeRecord, error) {
	documents, err := splitDocuments(bytes.TrimPrefix(text, []byte("\ufeff")))
	if err != nil {
		return nil, err
	}
	var records []runtime.RuntimeRecord
	for i, document := range documents {
		some, err := decodeDocument(document)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		records = append(records, some...)
	}
	if len(records) == 0 {
		return nil, errors.New("holds no record")
	}
	return records, nil
}

// splitDocuments returns each document as JSON.
func splitDocuments(text []byte) ([]jsontext.Value, error) {
	start := bytes.TrimSpace(text)
	if len(start) == 0 || start[0] != '{' && start[0] != '[' {
		return convertYAML(text)
	}
	documents, err := splitJSON(text)
	if err != nil {
		// YAML begins like that too, and then reads on where JSON does not.
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
		if string(converted) != "null" { // nothing but blank lines and comments
			documents = append(documents, converted)
		}
	}
	return documents, nil
}

// convertDocument returns null for a document without content. What follows the
// end of the document is an error, since the conversion would ignore it.
func convertDocument(text string) (jsontext.Value, error) {
	switch {
	case strings.TrimSpace(text) == "": // a tab alone would be an error
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
	return nil, errors.New("goes on after its end")
}

// splitYAML cuts at the lines that begin or end a document: the library reads
// the first one and says nothing of the others. No other line of YAML can begin
// like that.
func splitYAML(text string) []string {
	parts := []string{""}
	for line := range strings.Lines(text) {
		part := &parts[len(parts)-1]
		switch {
		case isMarker(line, "---") && isDirectives(*part):
			*part += line // still the same document's
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

// isDirectives reports lines such as "%YAML 1.2", which come before a document
// and belong to it.
func isDirectives(text string) bool {
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

func decodeDocument(document jsontext.Value) ([]runtime.RuntimeRecord, error) {
	switch document.Kind() {
	case '[':
		var records []runtime.RuntimeRecord
		return records, decodeStrict(document, &records)
	case '{':
	default:
		return nil, fmt.Errorf("%s is neither a record nor a list of records", kindName(document.Kind()))
	}
	var list struct {
		Items jsontext.Value `json:"items"`
	}
	if err := json.Unmarshal(document, &list); err == nil && list.Items != nil {
		var page api.Page
		err := decodeStrict(document, &page)
		return page.Items, err
	}
	var record runtime.RuntimeRecord
	if err := decodeStrict(document, &record); err != nil {
		return nil, err
	}
	return []runtime.RuntimeRecord{record}, nil
}

// decodeStrict refuses fields that the target does not have, and a field twice:
// they are typing errors that would otherwise vanish in silence.
func decodeStrict(document jsontext.Value, target any) error {
	return inWords(json.Unmarshal(document, target, json.RejectUnknownMembers(true)))
}
