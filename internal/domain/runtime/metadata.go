package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Limits of the metadata of one game.
const (
	// MaxMetadataBytes bounds its compact JSON. Every watch event and every page contains it.
	MaxMetadataBytes = 8 << 10
	// MaxMetadataDepth bounds its nesting; the object itself is the first level.
	MaxMetadataDepth = 8
)

// noMetadata is the JSON of metadata without members.
const noMetadata = "{}"

// Metadata is a JSON object of the user, compact and with its members sorted. Unlike labels, it is
// not indexed, and nothing selects games by it. Empty means that it is absent, which a request uses
// to keep the current metadata.
type Metadata string

// NewMetadata returns the metadata of a JSON text. The error describes a text that is not one JSON
// object; Validate checks the limits.
func NewMetadata(text []byte) (Metadata, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", fmt.Errorf("is not valid JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New("is not valid JSON: data follows the value")
	}
	object, isObject := value.(map[string]any)
	if !isObject {
		return "", errors.New("is not a JSON object")
	}
	return encodeMetadata(object), nil
}

// MarshalJSON returns the object; null if it is absent, which UnmarshalJSON accepts.
func (m Metadata) MarshalJSON() ([]byte, error) {
	if m == "" {
		return []byte("null"), nil
	}
	return []byte(m), nil
}

// UnmarshalJSON accepts an object. It leaves m as it is for null.
func (m *Metadata) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	decoded, err := NewMetadata(text)
	if err == nil {
		*m = decoded
	}
	return err
}

// IsEmpty reports whether it has no member.
func (m Metadata) IsEmpty() bool { return m == "" || m == noMetadata }

// Normal returns the form in which a record has it: absent if it has no member.
func (m Metadata) Normal() Metadata {
	if m.IsEmpty() {
		return ""
	}
	return m
}

// Validate returns nil for metadata within the limits and without null, which only a change has.
// Otherwise it returns every fault, as joined *InvalidError values on the field.
func (m Metadata) Validate(field string) error {
	if err := m.ValidateChange(field); err != nil {
		return err
	}
	if hasNull(m.decode()) {
		return &InvalidError{Field: field, Reason: "contains null, which removes a member in a change; omit the member"}
	}
	return nil
}

// ValidateChange is Validate for a change of Merge, which may contain null.
func (m Metadata) ValidateChange(field string) error {
	var faults []error
	if len(m) > MaxMetadataBytes {
		faults = append(faults, &InvalidError{Field: field, Reason: fmt.Sprintf("takes %d bytes of JSON; at most %d are allowed", len(m), MaxMetadataBytes)})
	}
	if !utf8.ValidString(string(m)) {
		faults = append(faults, &InvalidError{Field: field, Reason: "is not valid UTF-8"})
	}
	if depth := depthOf(m.decode()); depth > MaxMetadataDepth {
		faults = append(faults, &InvalidError{Field: field, Reason: fmt.Sprintf("nests %d levels deep; at most %d are allowed", depth, MaxMetadataDepth)})
	}
	return errors.Join(faults...)
}

// Merge returns the metadata after a change, by the rules of a JSON merge patch (RFC 7396): a member
// that is null is removed, an object is merged, and any other value replaces the current one.
func (m Metadata) Merge(change Metadata) Metadata {
	merged, _ := mergeValue(m.decode(), change.decode()).(map[string]any)
	return encodeMetadata(merged).Normal()
}

// mergeValue returns the value after a change, for the value before it.
func mergeValue(current, change any) any {
	members, isObject := change.(map[string]any)
	if !isObject {
		return change
	}
	merged, isObject := current.(map[string]any)
	if !isObject {
		merged = map[string]any{}
	}
	for name, value := range members {
		if value == nil {
			delete(merged, name)
			continue
		}
		merged[name] = mergeValue(merged[name], value)
	}
	return merged
}

// decode returns the object. It may be modified.
func (m Metadata) decode() map[string]any {
	object := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader([]byte(m)))
	decoder.UseNumber()
	_ = decoder.Decode(&object) // NewMetadata has decoded it, or it is empty
	return object
}

// encodeMetadata returns the JSON of the object. encoding/json sorts the members.
func encodeMetadata(object map[string]any) Metadata {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object); err != nil {
		panic(fmt.Sprintf("runtime: encode metadata: %v", err)) // it was decoded from JSON
	}
	return Metadata(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
}

// depthOf returns how many levels of objects and lists the value has.
func depthOf(value any) int {
	deepest := 0
	switch value := value.(type) {
	case map[string]any:
		for _, member := range value {
			deepest = max(deepest, depthOf(member))
		}
	case []any:
		for _, item := range value {
			deepest = max(deepest, depthOf(item))
		}
	default:
		return 0
	}
	return deepest + 1
}

func hasNull(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case map[string]any:
		for _, member := range value {
			if hasNull(member) {
				return true
			}
		}
	case []any:
		for _, item := range value {
			if hasNull(item) {
				return true
			}
		}
	}
	return false
}
