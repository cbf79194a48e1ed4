package cli

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"galaxy/rtmanager/internal/domain/operation"
)

// inWords puts an error of decoding into the words of whoever wrote the file.
func inWords(err error) error {
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return err
	}
	place := strings.TrimPrefix(string(semantic.JSONPointer), "/")
	if errors.Is(err, json.ErrUnknownName) {
		parent := strings.TrimPrefix(string(semantic.JSONPointer.Parent()), "/")
		return at(parent, fmt.Errorf("unknown field %q", semantic.JSONPointer.LastToken()))
	}
	wanted := typeName(semantic.GoType)
	var instant *time.ParseError
	switch {
	case wanted == "":
		return err
	case errors.As(err, &instant):
		return at(place, fmt.Errorf("%q is not %s", instant.Value, wanted))
	case semantic.JSONKind == '"' && semantic.GoType == reflect.TypeFor[operation.Duration]():
		return at(place, semantic.Err) // it has read the text, and says what is wrong
	case len(semantic.JSONValue) > 0:
		return at(place, fmt.Errorf("%s is not %s", semantic.JSONValue, wanted))
	}
	fault := fmt.Errorf("wants %s, not %s", wanted, kindName(semantic.JSONKind))
	if wanted == typeName(reflect.TypeFor[string]()) && strings.ContainsRune("0tf", rune(semantic.JSONKind)) {
		fault = fmt.Errorf("%w; put it in quotes", fault)
	}
	return at(place, fault)
}

func at(place string, err error) error {
	if place == "" {
		return err
	}
	return fmt.Errorf("%s: %w", place, err)
}

func typeName(wanted reflect.Type) string {
	switch {
	case wanted == nil:
		return ""
	case wanted == reflect.TypeFor[time.Time]():
		return "an instant such as 2026-03-01T12:00:00Z"
	case wanted == reflect.TypeFor[operation.Duration]():
		return "a duration such as 30s"
	}
	switch wanted.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Int64, reflect.Int:
		return "a whole number of 64 bits"
	case reflect.Float64:
		return "a number"
	case reflect.Map:
		return "an object"
	case reflect.Slice:
		return "a list"
	case reflect.Struct:
		return structName(wanted)
	default:
		return ""
	}
}

func structName(wanted reflect.Type) string {
	if wanted == reflect.TypeFor[operation.CrashPolicy]() {
		return "an object"
	}
	return "a record"
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case '"':
		return "a text"
	case '0':
		return "a number"
	case 't', 'f':
		return "true or false"
	case '[':
		return "a list"
	case '{':
		return "an object"
	default:
		return "nothing"
	}
}
