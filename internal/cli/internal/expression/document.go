package expression

import (
	"bytes"
	"encoding/json"
)

// documentOf returns the value as its JSON has it: maps, slices, strings, booleans, int64 and
// float64.
func documentOf(value any) (any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return nil, err
	}
	return withNumbers(document), nil
}

// withNumbers replaces each json.Number, which expressions cannot compare, by an int64 or a float64.
func withNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, member := range v {
			v[key] = withNumbers(member)
		}
	case []any:
		for i, element := range v {
			v[i] = withNumbers(element)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		n, _ := v.Float64() // a number of a valid document
		return n
	}
	return value
}

// listMembers are the members of a document whose elements are its items.
var listMembers = []string{"items", "results", "findings", "contexts"}

// itemsOf returns the items of a list, and the document itself if it is no list.
func itemsOf(document any) []any {
	switch d := document.(type) {
	case []any:
		return d
	case map[string]any:
		for _, member := range listMembers {
			if items, isList := d[member].([]any); isList {
				return items
			}
		}
	}
	return []any{document}
}
