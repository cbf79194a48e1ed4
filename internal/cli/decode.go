package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/yaml"

	"galaxy/rtmanager/internal/domain/runtime"
)

// decodeRecords reads records from JSON, one value after the other, or from
// YAML documents. Each is a record, a list of records, or an object with such a
// list as "items". Nothing at all is an error.
func decodeRecords(text []byte) ([]runtime.RuntimeRecord, error) {
	documents, err := splitDocuments(text)
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
func splitDocuments(text []byte) ([]json.RawMessage, error) {
	start := bytes.TrimSpace(text)
	if len(start) > 0 && (start[0] == '{' || start[0] == '[') {
		return splitJSON(text)
	}
	var documents []json.RawMessage
	for i, part := range splitYAML(string(text)) {
		converted, err := yaml.YAMLToJSONStrict([]byte(part))
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		if string(converted) != "null" { // nothing but blank lines and comments
			documents = append(documents, converted)
		}
	}
	return documents, nil
}

func splitJSON(text []byte) ([]json.RawMessage, error) {
	var documents []json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		var document json.RawMessage
		err := decoder.Decode(&document)
		switch {
		case errors.Is(err, io.EOF):
			return documents, nil
		case err != nil:
			return nil, fmt.Errorf("document %d: not JSON: %w", len(documents)+1, err)
		}
		documents = append(documents, document)
	}
}

// splitYAML cuts at the lines that begin a new document. No other line of YAML
// can begin like that.
func splitYAML(text string) []string {
	parts := []string{""}
	for l := range strings.Lines(text) {
		if strings.TrimRight(l, " \r\n") == "---" || strings.HasPrefix(l, "--- ") {
			parts = append(parts, strings.TrimPrefix(l, "---"))
			continue
		}
		parts[len(parts)-1] += l
	}
	return parts
}

func decodeDocument(document json.RawMessage) ([]runtime.RuntimeRecord, error) {
	if document[0] == '[' {
		return decodeItems(document)
	}
	var list struct {
		Items json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(document, &list); err == nil && list.Items != nil {
		return decodeItems(list.Items)
	}
	var record runtime.RuntimeRecord
	if err := decodeStrict(document, &record); err != nil {
		return nil, err
	}
	return []runtime.RuntimeRecord{record}, nil
}

func decodeItems(items json.RawMessage) ([]runtime.RuntimeRecord, error) {
	var records []runtime.RuntimeRecord
	err := decodeStrict(items, &records)
	return records, err
}

// decodeStrict refuses fields that a record does not have: they are typing
// errors that would otherwise vanish in silence.
func decodeStrict(text []byte, target any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(target)
}
