package main

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
)

const description = `A linearizable record per game, changed by compare-and-swap and watched.

Every error is an application/problem+json document; programs act on its member code. The codes of an operation are listed in the
description of its default response. Responses of the routes below /v1 name the store in the header Rtmanager-Store: revisions are
comparable only within one store.

A daemon that authenticates callers requires a token or a client certificate, except for the routes without security. x-permission is
the permission that the caller needs for the games of x-permission-for.`

// object is a JSON object. encoding/json sorts its members.
type object map[string]any

// newDocument returns the document of the routes.
func newDocument(routes []httpserver.Route) (object, error) {
	schemas := newSchemas()
	paths := object{}
	for _, route := range routes {
		if route.IsHidden {
			continue
		}
		item, _ := paths[route.Path].(object)
		if item == nil {
			item = object{}
			paths[route.Path] = item
		}
		item[strings.ToLower(route.Method)] = operationOf(schemas, route)
	}
	document := object{
		"openapi": "3.1.0",
		"info":    object{"title": "rtmanager", "version": "0", "description": description},
		"tags":    tagsOf(routes),
		"servers": []object{{"url": "/", "description": "This daemon"}},
		"paths":   paths,
		"components": object{
			"schemas":    schemas.components,
			"parameters": shareParameters(paths),
			"responses":  object{"Problem": problemResponse(schemas)},
			"securitySchemes": object{
				"token":       object{"type": "http", "scheme": "bearer", "description": "A token of rtmanager token create, or of the OpenID Connect issuer"},
				"certificate": object{"type": "mutualTLS", "description": "A client certificate"},
			},
		},
	}
	return document, schemas.err
}

func operationOf(schemas *schemas, route httpserver.Route) object {
	operation := object{"operationId": route.ID, "tags": []string{route.Tag}, "summary": route.Summary}
	if route.Description != "" {
		operation["description"] = route.Description
	}
	if parameters := parametersOf(schemas, route.Request); parameters != nil {
		operation["parameters"] = parameters
	}
	if route.Request.BodyType != nil {
		operation["requestBody"] = object{
			"required": route.Request.IsBodyRequired,
			"content":  object{"application/json": bodyOf(schemas, route)},
		}
	}
	responses := object{}
	for _, response := range route.Responses {
		responses[strconv.Itoa(response.Status)] = responseOf(schemas, response)
	}
	codes := make([]string, len(route.Codes))
	for i, code := range route.Codes {
		codes[i] = string(code)
	}
	responses["default"] = object{
		"$ref": "#/components/responses/Problem", "description": "A problem with one of the codes " + strings.Join(codes, ", "),
	}
	operation["responses"] = responses
	addSecurity(operation, route.Requirement)
	operation["x-problem-codes"] = codes
	return operation
}

// addSecurity describes what the caller of an operation needs.
func addSecurity(operation object, requirement callers.Requirement) {
	if requirement.Kind == callers.RequireNothing {
		operation["security"] = []object{}
		return
	}
	operation["security"] = []object{{"token": []string{}}, {"certificate": []string{}}}
	if requirement.Permission == "" {
		return
	}
	operation["x-permission"] = requirement.Permission
	games := map[callers.RequirementKind]string{callers.RequireAll: "every game", callers.RequireGame: "the game", callers.RequireSome: "any game"}
	operation["x-permission-for"] = games[requirement.Kind]
}

func parametersOf(schemas *schemas, decoder *request.Decoder) []object {
	var parameters []object
	for _, p := range decoder.Parameters {
		if p.Tag.Get("hidden") != "" {
			continue
		}
		schema := scalar(p.Type)
		switch enum := p.Tag.Get("enum"); {
		case enum == "":
			schema = schemas.of(p.Type)
			constrain(schema, p.Tag)
		case isEnumOf(enum, schemas.constants(p.Type)):
			schema = schemas.of(p.Type) // the shared schema has the same values
		default:
			constrain(schema, p.Tag)
		}
		if value := p.Tag.Get("default"); value != "" {
			schema["default"] = literal(p.Type, value)
		}
		parameter := object{"name": p.Name, "in": p.In, "description": p.Tag.Get("doc"), "schema": schema}
		if p.In == "path" {
			parameter["required"] = true
		}
		parameters = append(parameters, parameter)
	}
	return parameters
}

func responseOf(schemas *schemas, r httpserver.Response) object {
	response := object{"description": r.Description}
	if len(r.Content) > 0 {
		content := object{}
		for media, t := range r.Content {
			content[media] = object{"schema": schemas.of(t)}
		}
		response["content"] = content
	}
	if len(r.Headers) > 0 {
		headers := object{}
		for _, h := range r.Headers {
			headers[h.Name] = object{"description": h.Description, "required": !h.IsOptional, "schema": schemas.of(h.Type)}
		}
		response["headers"] = headers
	}
	return response
}

// problemResponse is the only error response.
func problemResponse(schemas *schemas) object {
	return object{
		"description": "A problem",
		"headers": object{
			api.HeaderRequestID: object{"description": "The id of the request: that of the client's own header, if it has 1 to 64 letters, digits or characters of -_.:, and otherwise a generated one", "required": true, "schema": object{"type": "string"}},
			"Retry-After":       object{"description": "Of the status 429 or 503: the number of seconds to wait before a retry", "required": false, "schema": object{"type": "integer"}},
		},
		"content": object{api.ProblemMediaType: object{"schema": schemas.of(reflect.TypeFor[api.Problem]())}},
	}
}

// constrain adds the constraints of a field's or parameter's tag to its schema.
func constrain(schema object, tag reflect.StructTag) {
	if values := tag.Get("enum"); values != "" {
		schema["enum"] = slices.Collect(strings.SplitSeq(values, ","))
	}
	if format := tag.Get("format"); format != "" {
		schema["format"] = format
	}
	for _, name := range []string{"minimum", "maximum", "minItems", "maxItems"} {
		if number, err := strconv.Atoi(tag.Get(name)); err == nil {
			schema[name] = number
		}
	}
}

// literal returns the value of a tag as JSON of the type.
func literal(t reflect.Type, text string) any {
	if t.Kind() == reflect.String {
		return text
	}
	if number, err := strconv.Atoi(text); err == nil {
		return number
	}
	if value, err := strconv.ParseBool(text); err == nil {
		return value
	}
	return text
}
