package httpserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"galaxy/rtmanager/internal/api"
)

// maxBodyDepth is how deep a body may nest. Those of this API nest three levels at most.
const maxBodyDepth = 16

// decodeBody reads one JSON object that fits the schema into target, and
// returns its members. A body that is not one sound JSON value is a 400; one
// whose members are unknown or of the wrong kind is a 422 that names each.
//
// It is stricter than encoding/json, which takes the last of two equal names,
// names in any case, and puts a replacement character for text it cannot read.
func decodeBody(registry huma.Registry, schema *huma.Schema, body []byte, target any) (map[string]json.RawMessage, error) {
	if err := checkJSON(body); err != nil {
		return nil, badRequest("body", "%v", err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return nil, invalidProblem(http.StatusUnprocessableEntity, api.Fault{Location: "body", Message: "must be a JSON object"})
	}
	if faults := memberFaults(registry, schema, "body", members); len(faults) > 0 {
		return nil, invalidProblem(http.StatusUnprocessableEntity, faults...)
	}
	if err := json.Unmarshal(body, target); err != nil {
		return nil, invalidProblem(http.StatusUnprocessableEntity, misfit(members, target, err))
	}
	return members, nil
}

// misfit places what fits the schema and not the type behind it.
func misfit(members map[string]json.RawMessage, target any, err error) api.Fault {
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) && mistyped.Field != "" {
		return api.Fault{Location: "body." + mistyped.Field, Message: "does not fit: " + mistyped.Value}
	}
	for _, name := range sortedKeys(members) { // a type that reads its own text does not know where it stands
		alone, _ := json.Marshal(map[string]json.RawMessage{name: members[name]})
		if err := json.Unmarshal(alone, target); err != nil {
			return api.Fault{Location: "body." + name, Message: "does not fit: " + err.Error()}
		}
	}
	return api.Fault{Location: "body", Message: err.Error()}
}

// memberFaults says what is wrong with the members of the object at the place.
func memberFaults(registry huma.Registry, schema *huma.Schema, place string, members map[string]json.RawMessage) []api.Fault {
	var faults []api.Fault
	for _, name := range sortedKeys(members) {
		here := place + "." + clip(name)
		if property := schema.Properties[name]; property != nil {
			faults = append(faults, jsonFaults(registry, property, here, members[name])...)
		} else {
			faults = append(faults, api.Fault{Location: here, Message: "is not a member of this body"})
		}
	}
	for _, name := range schema.Required {
		if _, given := members[name]; !given {
			faults = append(faults, api.Fault{Location: place + "." + name, Message: "is required"})
		}
	}
	return faults
}

// jsonFaults says what is wrong with one value. It goes down into objects itself,
// for huma knows names in any case, and not the place of each fault.
func jsonFaults(registry huma.Registry, schema *huma.Schema, place string, text json.RawMessage) []api.Fault {
	var members map[string]json.RawMessage
	var items []json.RawMessage
	switch {
	case len(schema.Properties) > 0 && json.Unmarshal(text, &members) == nil && members != nil:
		return memberFaults(registry, schema, place, members)
	case schema.Items != nil && len(schema.Items.Properties) > 0 && json.Unmarshal(text, &items) == nil && items != nil:
		faults := countFaults(schema, place, len(items))
		for i, item := range items {
			faults = append(faults, jsonFaults(registry, schema.Items, fmt.Sprintf("%s[%d]", place, i), item)...)
		}
		return faults
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return []api.Fault{{Location: place, Message: err.Error()}}
	}
	var faults []api.Fault
	for _, message := range schemaFaults(registry, schema, value) {
		faults = append(faults, api.Fault{Location: place, Message: clip(string(text)) + " is refused: " + message})
	}
	return faults
}

func countFaults(schema *huma.Schema, place string, count int) []api.Fault {
	switch {
	case schema.MinItems != nil && count < *schema.MinItems:
		return []api.Fault{{Location: place, Message: fmt.Sprintf("must hold %d or more", *schema.MinItems)}}
	case schema.MaxItems != nil && count > *schema.MaxItems:
		return []api.Fault{{Location: place, Message: fmt.Sprintf("holds %d; at most %d are taken at once", count, *schema.MaxItems)}}
	}
	return nil
}

// checkJSON returns nil for exactly one JSON value of UTF-8 text in which no
// object names a member twice, and otherwise an error that reads on after "body".
func checkJSON(body []byte) error {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return errors.New("is empty; send a JSON object")
	case !utf8.Valid(body):
		return errors.New("is not valid UTF-8")
	case hasLoneSurrogate(body):
		return errors.New("holds an escaped surrogate without its other half")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := walkJSON(decoder); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("goes on after the end of its JSON value")
	}
	return nil
}

// walkJSON reads one value token by token.
func walkJSON(decoder *json.Decoder) error {
	var scopes []scope
	for {
		token, err := decoder.Token()
		if err != nil {
			return syntaxError(err)
		}
		switch delim, isDelim := token.(json.Delim); {
		case isDelim && (delim == '{' || delim == '['):
			if len(scopes) == maxBodyDepth {
				return fmt.Errorf("nests deeper than %d levels", maxBodyDepth)
			}
			scopes = append(scopes, newScope(delim == '{'))
			continue
		case isDelim:
			scopes = scopes[:len(scopes)-1]
		case len(scopes) > 0 && scopes[len(scopes)-1].wantsName():
			if err := scopes[len(scopes)-1].name(token.(string)); err != nil {
				return err
			}
			continue
		}
		if len(scopes) == 0 {
			return nil
		}
		scopes[len(scopes)-1].sawValue()
	}
}

// scope is an open object or array; names is nil for an array.
type scope struct {
	names map[string]bool
	named bool // a name has been read whose value has not
}

func newScope(object bool) scope {
	if !object {
		return scope{}
	}
	return scope{names: map[string]bool{}}
}

func (s *scope) wantsName() bool { return s.names != nil && !s.named }

func (s *scope) name(name string) error {
	if s.names[name] {
		return fmt.Errorf("names the member %q twice", clip(name))
	}
	s.names[name], s.named = true, true
	return nil
}

func (s *scope) sawValue() { s.named = false }

func syntaxError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("ends before its JSON value does")
	}
	return fmt.Errorf("is not JSON: %w", err)
}

// hasLoneSurrogate reports whether an escape in a string names half a
// character, which encoding/json would silently replace.
func hasLoneSurrogate(body []byte) bool {
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		unit, ok := escapedUnit(body[i:])
		switch {
		case !ok:
			i++ // an escape of one character, which may be a backslash
		case !utf16.IsSurrogate(unit):
			i += 5
		default:
			low, ok := escapedUnit(body[i+6:])
			if !ok || utf16.DecodeRune(unit, low) == utf8.RuneError {
				return true
			}
			i += 11
		}
	}
	return false
}

// escapedUnit reads the \uXXXX that text begins with.
func escapedUnit(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(unit), err == nil
}
