package manifest

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

// explainError converts a decoding error into terms of the file: the path of the field, what
// it must be, and what it is.
func explainError(err error) error {
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return err
	}
	path := strings.TrimPrefix(string(semantic.JSONPointer), "/")
	if errors.Is(err, json.ErrUnknownName) {
		parent := strings.TrimPrefix(string(semantic.JSONPointer.Parent()), "/")
		return withPath(parent, fmt.Errorf("unknown field %q", semantic.JSONPointer.LastToken()))
	}
	expected := typeName(semantic.GoType)
	var timeErr *time.ParseError
	switch {
	case expected == "":
		return err
	case errors.As(err, &timeErr):
		return withPath(path, fmt.Errorf("%q is not %s", timeErr.Value, expected))
	case semantic.JSONKind == '"' && semantic.GoType == reflect.TypeFor[operation.Duration]():
		return withPath(path, semantic.Err) // the error of operation.Duration itself
	case len(semantic.JSONValue) > 0:
		return withPath(path, fmt.Errorf("%s is not %s", semantic.JSONValue, expected))
	}
	problem := fmt.Errorf("must be %s, not %s", expected, kindName(semantic.JSONKind))
	if expected == typeName(reflect.TypeFor[string]()) && strings.ContainsRune("0tf", rune(semantic.JSONKind)) {
		problem = fmt.Errorf("%w; put it in quotes", problem)
	}
	return withPath(path, problem)
}

func withPath(path string, err error) error {
	if path == "" {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

func typeName(goType reflect.Type) string {
	switch {
	case goType == nil:
		return ""
	case goType == reflect.TypeFor[time.Time]():
		return "a time such as 2026-03-01T12:00:00Z"
	case goType == reflect.TypeFor[operation.Duration]():
		return "a duration such as 30s"
	}
	switch goType.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Int64, reflect.Int:
		return "a 64-bit integer"
	case reflect.Float64:
		return "a number"
	case reflect.Map:
		return "an object"
	case reflect.Slice:
		return "a list"
	case reflect.Struct:
		return structName(goType)
	default:
		return ""
	}
}

func structName(goType reflect.Type) string {
	switch goType {
	case reflect.TypeFor[operation.CrashPolicy](), reflect.TypeFor[operation.Spec]():
		return "an object"
	case reflect.TypeFor[Game]():
		return "a game"
	}
	return "a record"
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case '"':
		return "a string"
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
