package request

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

// maxDepth bounds the nesting of a body. The types of this API have three levels at most.
const maxDepth = 16

// decodeObject decodes a body of exactly one JSON object into target, a pointer to a
// struct, and returns the names of the object's members. A body that is not valid JSON,
// names a member twice or is not UTF-8 is a problem of status 400; an unknown member, a
// missing required one or a value of another type is one of status 422 that names each.
func decodeObject(body []byte, target any) (map[string]bool, *api.Problem) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, problem.BadRequest("body", "is empty; send a JSON object")
	}
	if depthOf(body) > maxDepth {
		return nil, problem.BadRequest("body", "nests deeper than %d levels", maxDepth)
	}
	d := objectDecoder{json: jsontext.NewDecoder(bytes.NewReader(body))}
	members, err := d.decodeObject(reflect.ValueOf(target).Elem(), "body", nil)
	if err == nil {
		err = d.expectEnd()
	}
	switch {
	case err != nil:
		return nil, problem.BadRequest("body", "is not valid JSON: %s", strings.TrimPrefix(err.Error(), "jsontext: "))
	case len(d.faults) > 0:
		return nil, problem.Invalid(d.faults...)
	}
	return members, nil
}

// depthOf returns the deepest nesting of a JSON text. It does not check the text.
func depthOf(text []byte) int {
	depth, deepest, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// objectDecoder decodes one body. Its methods return syntax errors and collect all other
// faults. They read the whole body, because a syntax error takes precedence.
type objectDecoder struct {
	json   *jsontext.Decoder
	faults []api.Fault
}

func (d *objectDecoder) addFault(place, format string, args ...any) {
	if len(d.faults) > problem.MaxFaults {
		return // the problem does not contain it
	}
	d.faults = append(d.faults, api.Fault{Location: place, Message: fmt.Sprintf(format, args...)})
}

// expectEnd returns an error if data follows the value.
func (d *objectDecoder) expectEnd() error {
	switch _, err := d.json.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return errors.New("data follows the value")
}

// skipValue skips a value that is unknown or of the wrong type, and adds the fault.
func (d *objectDecoder) skipValue(place, fault string) error {
	d.addFault(place, "%s", fault)
	return d.json.SkipValue()
}

// decodeObject decodes an object into a struct. required names members in addition to those
// that have the tag.
func (d *objectDecoder) decodeObject(target reflect.Value, place string, required []string) (map[string]bool, error) {
	if d.json.PeekKind() != '{' {
		return nil, d.skipValue(place, "must be a JSON object")
	}
	if _, err := d.json.ReadToken(); err != nil {
		return nil, err
	}
	fields := Members(target.Type())
	given := map[string]bool{}
	for d.json.PeekKind() != '}' {
		token, err := d.json.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		given[name] = true
		member := place + "." + Clip(name)
		if field, isKnown := findMember(fields, name); isKnown {
			err = d.decodeValue(target.FieldByIndex(field.Index), field.Tag, member)
		} else {
			err = d.skipValue(member, "is not a member of this object")
		}
		if err != nil {
			return nil, err
		}
	}
	for _, field := range fields {
		if field.Tag.Get("required") != "" && !given[field.Name] {
			d.addFault(place+"."+field.Name, "is required")
		}
	}
	for _, name := range required {
		if !given[name] {
			d.addFault(place+"."+name, "is required")
		}
	}
	_, err := d.json.ReadToken()
	return given, err
}

// decodeValue decodes one value. null is allowed for pointers only, unless their tag nullable
// is false.
func (d *objectDecoder) decodeValue(target reflect.Value, tag reflect.StructTag, place string) error {
	isNullable := target.Kind() == reflect.Pointer && tag.Get("nullable") != "false"
	switch {
	case d.json.PeekKind() == 'n' && !isNullable:
		return d.skipValue(place, "must not be null")
	case IsObject(target.Type()):
		_, err := d.decodeObject(target, place, nil)
		return err
	case target.Kind() == reflect.Pointer && IsObject(target.Type().Elem()) && d.json.PeekKind() != 'n':
		target.Set(reflect.New(target.Type().Elem()))
		_, err := d.decodeObject(target.Elem(), place, nil)
		return err
	case target.Kind() == reflect.Slice && IsObject(target.Type().Elem()):
		return d.decodeList(target, tag, place)
	}
	text, err := d.json.ReadValue()
	if err != nil {
		return err
	}
	err = json.Unmarshal(text, target.Addr().Interface())
	switch {
	case err == nil && (isFreeForm(target.Type()) || !hasNullElement(text)):
	case tag.Get("secret") != "":
		d.addFault(place, "is invalid: expected %s", describeType(target.Type(), err))
	default:
		d.addFault(place, "%s is invalid: expected %s", Clip(string(text)), describeType(target.Type(), err))
	}
	return nil
}

// isFreeForm reports whether values of the type are JSON of the client, which may contain null.
func isFreeForm(t reflect.Type) bool {
	return t == reflect.TypeFor[runtime.Metadata]() || t == reflect.TypeFor[*runtime.Metadata]()
}

// hasNullElement reports whether a list or a map contains null. The decoder would accept it
// as the zero value of the element.
func hasNullElement(text jsontext.Value) bool {
	for decoder := jsontext.NewDecoder(bytes.NewReader(text)); ; {
		token, err := decoder.ReadToken()
		if err != nil {
			return false // the end
		}
		if token.Kind() == 'n' && decoder.StackDepth() > 0 {
			return true
		}
	}
}

// decodeList decodes a list of objects.
func (d *objectDecoder) decodeList(target reflect.Value, tag reflect.StructTag, place string) error {
	if d.json.PeekKind() != '[' {
		return d.skipValue(place, "must be a list")
	}
	if _, err := d.json.ReadToken(); err != nil {
		return err
	}
	var required []string
	if names := tag.Get("itemsRequired"); names != "" {
		required = strings.Split(names, ",")
	}
	maximum := math.MaxInt
	if text := tag.Get("maxItems"); text != "" {
		maximum, _ = strconv.Atoi(text)
	}
	count := 0
	for ; d.json.PeekKind() != ']'; count++ {
		if count >= maximum {
			if err := d.json.SkipValue(); err != nil {
				return err
			}
			continue
		}
		item := reflect.New(target.Type().Elem()).Elem()
		if _, err := d.decodeObject(item, fmt.Sprintf("%s[%d]", place, count), required); err != nil {
			return err
		}
		target.Set(reflect.Append(target, item))
	}
	if _, err := d.json.ReadToken(); err != nil {
		return err
	}
	if text := tag.Get("minItems"); text != "" {
		if minimum, _ := strconv.Atoi(text); count < minimum {
			d.addFault(place, "must have at least %d items", minimum)
		}
	}
	if count > maximum {
		d.addFault(place, "has %d items; at most %d are allowed", count, maximum)
	}
	return nil
}

// describeType describes the valid JSON values of a type. err is the decoding error.
func describeType(t reflect.Type, err error) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case isFreeForm(t):
		return "a JSON object"
	case t == reflect.TypeFor[time.Time]():
		return "a time in the format of RFC 3339"
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		var semantic *json.SemanticError
		if errors.As(err, &semantic) && semantic.Err != nil {
			return "a string: " + semantic.Err.Error()
		}
		return "a string"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number of at most 64 bits"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list of strings"
	case reflect.Map:
		return "an object whose members are strings"
	default:
		return t.Kind().String()
	}
}
