package httpserver

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"galaxy/rtmanager/internal/api"
)

// checkParams refuses, naming each fault, a query that the operation does not
// declare so: unknown and repeated parameters, and values that do not fit the
// declared schema; and headers that are given more often than they can mean
// something. It runs before huma parses, which would take the first of several,
// let empty ones pass and answer 422 for the rest.
func checkParams(registry huma.Registry) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		joinLists(r.Header)
		declared := ctx.Operation().Parameters
		faults := append(queryFaults(registry, declared, r.URL.RawQuery), headerFaults(declared, r.Header)...)
		if len(faults) > 0 {
			writeProblem(w, invalidProblem(http.StatusBadRequest, faults...))
			return
		}
		next(ctx)
	}
}

// joinLists makes one line of each header that is a list, which may come as
// several (RFC 9110, section 5.3).
func joinLists(header http.Header) {
	for _, name := range []string{"Accept", "If-Match", "If-None-Match"} {
		if values := header.Values(name); len(values) > 1 {
			header.Set(name, strings.Join(values, ", "))
		}
	}
}

func headerFaults(declared []*huma.Param, header http.Header) []api.Fault {
	var faults []api.Fault
	for _, p := range declared {
		if p.In == "header" && len(header.Values(p.Name)) > 1 {
			faults = append(faults, api.Fault{Location: "header." + p.Name, Message: "is given more than once"})
		}
	}
	return faults
}

func queryFaults(registry huma.Registry, declared []*huma.Param, rawQuery string) []api.Fault {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return []api.Fault{{Location: "query", Message: "cannot be read: " + err.Error()}}
	}
	var faults []api.Fault
	for _, name := range sortedKeys(query) {
		fault := func(message string) {
			faults = append(faults, api.Fault{Location: "query." + clip(name), Message: message})
		}
		i := slices.IndexFunc(declared, func(p *huma.Param) bool { return p.In == "query" && p.Name == name })
		switch {
		case i < 0:
			fault("is not a parameter of this call")
		case len(query[name]) > 1:
			fault("is given more than once")
		default:
			for _, message := range valueFaults(registry, declared[i].Schema, query[name][0]) {
				fault(strconv.Quote(clip(query[name][0])) + " is refused: " + message)
			}
		}
	}
	return faults
}

// valueFaults says what is wrong with one value under a scalar schema.
func valueFaults(registry huma.Registry, schema *huma.Schema, text string) []string {
	var value any = text
	var err error
	switch schema.Type {
	case huma.TypeInteger:
		if value, err = strconv.ParseInt(text, 10, 64); err != nil {
			return []string{"expected a whole number of at most 64 bits"}
		}
	case huma.TypeBoolean:
		if value, err = strconv.ParseBool(text); err != nil {
			return []string{"expected true or false"}
		}
	}
	return schemaFaults(registry, schema, value)
}

func schemaFaults(registry huma.Registry, schema *huma.Schema, value any) []string {
	result := huma.ValidateResult{}
	huma.Validate(registry, schema, huma.NewPathBuffer([]byte{}, 0), huma.ModeWriteToServer, value, &result)
	var messages []string
	for _, err := range result.Errors {
		message := err.Error()
		var detail *huma.ErrorDetail
		if errors.As(err, &detail) {
			message = detail.Message
		}
		messages = append(messages, message)
	}
	return messages
}

// clip keeps long values out of messages.
func clip(text string) string {
	const most = 64
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
