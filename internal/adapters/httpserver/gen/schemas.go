package main

import (
	"cmp"
	"encoding"
	"fmt"
	"path"
	"reflect"
	"strings"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

const schemaPrefix = "#/components/schemas/"

// schemas generates the schemas of Go types. It keeps the schemas of named types as
// components.
type schemas struct {
	components object
	types      map[string]reflect.Type // of the components
	enums      enums
	err        error // the first one
}

func newSchemas() *schemas { return &schemas{components: object{}, types: map[string]reflect.Type{}} }

// of returns the schema of a type in a response: a reference for a named struct or a type
// with constants. Clients must accept members that they do not know.
func (s *schemas) of(t reflect.Type) object {
	switch {
	case t.Kind() == reflect.Pointer:
		return s.of(t.Elem())
	case request.IsObject(t):
		return s.component(t, componentName(t), func() object { return s.object(t) })
	case t.Kind() == reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case t.Kind() == reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	}
	if t == reflect.TypeFor[operation.Duration]() {
		return s.component(t, "Duration", durationSchema)
	}
	if values := s.constants(t); len(values) > 0 && !isOpenEnum(t) {
		return s.component(t, componentName(t), func() object { return object{"type": "string", "enum": values} })
	}
	return scalar(t)
}

func (s *schemas) constants(t reflect.Type) []string {
	values, err := s.enums.of(t)
	if err != nil && s.err == nil {
		s.err = err
	}
	return values
}

// component returns a reference to a component, and adds the component if necessary.
func (s *schemas) component(t reflect.Type, name string, schema func() object) object {
	switch existing, exists := s.types[name]; {
	case !exists:
		s.types[name] = t
		component := schema()
		if text := typeDescriptions()[name]; text != "" {
			component["description"] = text
		}
		s.components[name] = component
	case existing != t && s.err == nil:
		s.err = fmt.Errorf("the types %s and %s have the same schema name %s", existing, t, name)
	}
	return object{"$ref": schemaPrefix + name}
}

func (s *schemas) object(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, member := range request.Members(t) {
		property := s.of(member.Type)
		if mayBeEmpty(t, member) {
			property = object{"type": "string", "enum": append(s.constants(member.Type), "")}
		}
		constrain(property, member.Tag)
		s.describe(property, t, member)
		properties[member.Name] = property
		if !member.IsOptional {
			required = append(required, member.Name)
		}
	}
	schema := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

// body returns the schema of a body: closed objects, whose tags name the required members.
func (s *schemas) body(t reflect.Type) object {
	name := t.Name()
	if t == reflect.TypeFor[runtime.RuntimeRecord]() {
		name += "Body"
	}
	return s.component(t, name, func() object { return s.closedObject(t, nil) })
}

func (s *schemas) closedObject(t reflect.Type, required []string) object {
	properties := object{}
	for _, member := range request.Members(t) {
		var property object
		switch {
		case request.IsObject(member.Type):
			property = s.closedObject(member.Type, nil)
		case member.Type.Kind() == reflect.Pointer && request.IsObject(member.Type.Elem()):
			property = s.closedObject(member.Type.Elem(), nil)
		case member.Type.Kind() == reflect.Slice && request.IsObject(member.Type.Elem()):
			var items []string
			if names := member.Tag.Get("itemsRequired"); names != "" {
				items = strings.Split(names, ",")
			}
			property = object{"type": "array", "items": s.closedObject(member.Type.Elem(), items)}
		default:
			property = s.of(member.Type)
		}
		constrain(property, member.Tag)
		if member.Type.Kind() == reflect.Pointer && member.Tag.Get("nullable") != "false" {
			property = nullable(property)
		}
		s.describe(property, t, member)
		properties[member.Name] = property
		if member.Tag.Get("required") != "" {
			required = append(required, member.Name)
		}
	}
	schema := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

// durationSchema returns the schema of a duration in the format of Go.
func durationSchema() object {
	return object{
		"type": "string", "pattern": `^[-+]?(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`,
		"description": "A duration such as 30s, 1m30s or 250ms: decimal numbers with a unit, one of ns, us, ms, s, m, h", "examples": []string{"30s"},
	}
}

// nullable returns the schema that also allows null.
func nullable(schema object) object {
	if schema["$ref"] != nil {
		return object{"anyOf": []object{schema, {"type": "null"}}}
	}
	schema["type"] = []any{schema["type"], "null"}
	return schema
}

// scalar returns the schema of a type without members.
func scalar(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[runtime.Metadata]():
		return object{"type": "object", "additionalProperties": true}
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer", "format": "int64"}
	case reflect.Float64:
		return object{"type": "number", "format": "double"}
	default:
		return object{"type": "string"}
	}
}

// componentName returns the name of a type's component. The name of the package is its
// prefix, unless the package is api, runtime, ports or httpserver, or the type name starts
// with it.
func componentName(t reflect.Type) string {
	pkg := path.Base(t.PkgPath())
	prefix := strings.ToUpper(pkg[:1]) + pkg[1:]
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	if pkg == "api" || pkg == "runtime" || pkg == "ports" || pkg == "httpserver" || strings.HasPrefix(name, prefix) {
		return name
	}
	return prefix + name
}

// describe adds the description of a member. A member without a description is an error.
func (s *schemas) describe(property object, t reflect.Type, member request.Member) {
	text := cmp.Or(member.Tag.Get("doc"), memberDescriptions()[componentName(t)][member.Name], memberDescriptions()[""][member.Name])
	if text == "" && s.err == nil {
		s.err = fmt.Errorf("member %s of %s has no description", member.Name, componentName(t))
	}
	property["description"] = text
}
