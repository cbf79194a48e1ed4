package request

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Parameter is one declared parameter of a route.
type Parameter struct {
	In   string // path, query or header
	Name string
	Type reflect.Type
	Tag  reflect.StructTag

	index []int // of the field
}

// Decoder decodes the requests of one route. It is safe for concurrent use.
type Decoder struct {
	Parameters []Parameter
	// BodyType is the T of the body's Body[T], nil for a route without a body.
	BodyType reflect.Type
	// IsBodyRequired reports whether an empty body is rejected.
	IsBodyRequired bool

	bodyIndex []int
}

// NewDecoder returns the decoder of a struct type.
func NewDecoder(input reflect.Type) *Decoder {
	d := &Decoder{}
	for _, field := range reflect.VisibleFields(input) {
		for _, in := range []string{"path", "query", "header"} {
			if name, isTagged := field.Tag.Lookup(in); isTagged {
				d.Parameters = append(d.Parameters, Parameter{In: in, Name: name, Type: field.Type, Tag: field.Tag, index: field.Index})
			}
		}
		if mode, isTagged := field.Tag.Lookup("body"); isTagged {
			d.BodyType = reflect.Zero(field.Type).Interface().(bodyField).valueType()
			d.IsBodyRequired, d.bodyIndex = mode == "required", field.Index
		}
	}
	return d
}

// Locate returns the place of a field of the domain in the route's requests: a parameter,
// or otherwise a member of the body.
func (d *Decoder) Locate(field string) string {
	for _, p := range d.Parameters {
		if p.Name == field || p.Tag.Get("field") == field {
			return p.In + "." + p.Name
		}
	}
	if d.BodyType != nil {
		return "body." + field
	}
	return "query." + field
}

// Decode decodes the request into input, a pointer to the struct. path has the texts of the
// variable segments by name. bodyTimeout bounds how long the body may take to arrive.
func (d *Decoder) Decode(w http.ResponseWriter, r *http.Request, path map[string]string, input any, bodyTimeout time.Duration) *api.Problem {
	target := reflect.ValueOf(input).Elem()
	d.joinListHeaders(r.Header)
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return problem.BadRequest("query", "cannot be parsed: %v", err)
	}
	faults := append(d.findInvalidQuery(query), d.findRepeatedHeaders(r.Header)...)
	for _, p := range d.Parameters {
		if p.isList() {
			if message := p.setList(target, query[p.Name]); message != "" {
				faults = append(faults, api.Fault{Location: p.In + "." + p.Name, Message: message})
			}
			continue
		}
		text, isGiven := "", false
		switch p.In {
		case "path":
			text, isGiven = path[p.Name], true
		case "query":
			text = query.Get(p.Name)
			isGiven = len(query[p.Name]) == 1 && text != "" // findInvalidQuery reports an empty one
		case "header":
			text = r.Header.Get(p.Name)
			isGiven = text != ""
		}
		if message := p.setField(target, text, isGiven); message != "" {
			faults = append(faults, api.Fault{Location: p.In + "." + p.Name, Message: message})
		}
	}
	if len(faults) > 0 {
		slices.SortStableFunc(faults, func(a, b api.Fault) int { return strings.Compare(a.Location, b.Location) })
		return problem.Invalid(faults...)
	}
	if d.BodyType == nil {
		return nil
	}
	body, p := readBody(w, r, bodyTimeout)
	if p != nil {
		return p
	}
	return target.FieldByIndex(d.bodyIndex).Addr().Interface().(bodyTarget).decode(body, d.IsBodyRequired)
}

// joinListHeaders joins the lines of each header that is a list. Such a header may arrive
// as several lines (RFC 9110, section 5.3).
func (d *Decoder) joinListHeaders(header http.Header) {
	for _, p := range d.Parameters {
		if values := header.Values(p.Name); p.In == "header" && p.Tag.Get("list") != "" && len(values) > 1 {
			header.Set(p.Name, strings.Join(values, ", "))
		}
	}
}

func (d *Decoder) findRepeatedHeaders(header http.Header) []api.Fault {
	var faults []api.Fault
	for _, p := range d.Parameters {
		if p.In == "header" && len(header.Values(p.Name)) > 1 {
			faults = append(faults, api.Fault{Location: "header." + p.Name, Message: "is given more than once"})
		}
	}
	return faults
}

// isList reports whether the parameter is a query parameter that may be repeated.
func (p Parameter) isList() bool { return p.In == "query" && p.Type.Kind() == reflect.Slice }

// maxListValues bounds how often a query parameter may be repeated.
const maxListValues = 256

// setList sets the field to the values of a repeated parameter. It returns the fault of the first
// invalid one, empty for none. findInvalidQuery reports empty values.
func (p Parameter) setList(target reflect.Value, texts []string) string {
	if len(texts) > maxListValues {
		return fmt.Sprintf("is given %d times; at most %d are allowed", len(texts), maxListValues)
	}
	field := target.FieldByIndex(p.index)
	for _, text := range texts {
		if allowed := p.allowedValues(); text != "" && allowed != nil && !slices.Contains(allowed, text) {
			return fmt.Sprintf("%q is invalid: expected one of %s", Clip(text), strings.Join(allowed, ", "))
		}
		value := reflect.New(field.Type().Elem()).Elem()
		value.SetString(text)
		field.Set(reflect.Append(field, value))
	}
	return ""
}

// allowsEmpty reports whether the query parameter may be empty. A filter may not: a client
// whose variable is unset would otherwise get everything.
func (d *Decoder) allowsEmpty(name string) bool {
	return slices.ContainsFunc(d.Parameters, func(p Parameter) bool {
		return p.In == "query" && p.Name == name && p.Tag.Get("allowEmpty") != ""
	})
}

// findInvalidQuery returns the faults of query parameters that are unknown, repeated or
// empty.
func (d *Decoder) findInvalidQuery(query url.Values) []api.Fault {
	var faults []api.Fault
	for _, name := range slices.Sorted(maps.Keys(query)) {
		i := slices.IndexFunc(d.Parameters, func(p Parameter) bool { return p.In == "query" && p.Name == name })
		switch {
		case i < 0:
			faults = append(faults, api.Fault{Location: "query." + Clip(name), Message: "is not a parameter of this request"})
		case len(query[name]) > 1 && !d.Parameters[i].isList():
			faults = append(faults, api.Fault{Location: "query." + Clip(name), Message: "is given more than once"})
		case slices.Contains(query[name], "") && !d.allowsEmpty(name):
			faults = append(faults, api.Fault{Location: "query." + Clip(name), Message: "is empty; omit it, or give it a value"})
		}
	}
	return faults
}

// setField sets the field to the value of the text, or to the default. It returns the fault
// of the text, empty for none.
func (p Parameter) setField(target reflect.Value, text string, isGiven bool) string {
	if p.In == "path" && p.Name == "game_id" {
		if err := runtime.ValidateGameID(text); err != nil {
			return problem.From(err, nil).Errors[0].Message
		}
	}
	if !isGiven {
		text = p.Tag.Get("default")
		if text == "" {
			return ""
		}
	}
	field := target.FieldByIndex(p.index)
	fault := func(expected string) string { return fmt.Sprintf("%q is invalid: expected %s", Clip(text), expected) }
	switch field.Kind() {
	case reflect.String:
		if allowed := p.allowedValues(); allowed != nil && !slices.Contains(allowed, text) {
			return fault("one of " + strings.Join(allowed, ", "))
		}
		field.SetString(text)
	case reflect.Bool:
		value, err := strconv.ParseBool(text)
		if err != nil {
			return fault("true or false")
		}
		field.SetBool(value)
	default:
		value, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fault("a whole number of at most 64 bits")
		}
		if expected := p.exceededBound(value); expected != "" {
			return fault(expected)
		}
		field.SetInt(value)
	}
	return ""
}

// allowedValues returns the valid values of a text, nil for any.
func (p Parameter) allowedValues() []string {
	switch {
	case p.Type == reflect.TypeFor[runtime.Status](), p.Type == reflect.TypeFor[[]runtime.Status]():
		var allowed []string
		for _, status := range runtime.Statuses() {
			allowed = append(allowed, string(status))
		}
		return allowed
	case p.Tag.Get("enum") != "":
		return strings.Split(p.Tag.Get("enum"), ",")
	}
	return nil
}

// exceededBound returns the bound that the number exceeds, empty for none.
func (p Parameter) exceededBound(value int64) string {
	if text := p.Tag.Get("minimum"); text != "" {
		if minimum, _ := strconv.ParseInt(text, 10, 64); value < minimum {
			return "at least " + text
		}
	}
	if text := p.Tag.Get("maximum"); text != "" {
		if maximum, _ := strconv.ParseInt(text, 10, 64); value > maximum {
			return "at most " + text
		}
	}
	return ""
}

// Clip shortens a long text for a message.
func Clip(text string) string {
	const limit = 64
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
