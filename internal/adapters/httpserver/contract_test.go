package httpserver_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
)

// contract compares responses with the served OpenAPI document, by a JSON Schema
// library that the server does not use.
type contract struct {
	document map[string]any
	schemas  *jsonschema.Compiler
}

const contractURL = "http://contract.test/openapi.json"

func contractOf(t testing.TB, f *fixture) *contract {
	t.Helper()
	served := f.send("GET", "/openapi.json", "", "")
	require.Equal(t, http.StatusOK, served.StatusCode)
	c := &contract{document: decodeAs[map[string]any](t, served.body), schemas: jsonschema.NewCompiler()}
	closed := decodeAs[map[string]any](t, served.body)
	for _, schema := range memberAt(closed, "components", "schemas") {
		// Clients must accept members that they do not know, but the server sends only
		// members that the document describes.
		schema.(map[string]any)["additionalProperties"] = false
	}
	c.schemas.AssertFormat()
	require.NoError(t, c.schemas.AddResource(contractURL, closed))
	return c
}

// memberAt returns the object at a path of names, nil if one is missing.
func memberAt(object any, names ...string) map[string]any {
	for _, name := range names {
		inner, _ := object.(map[string]any)
		object = inner[name]
	}
	found, _ := object.(map[string]any)
	return found
}

// pathOf returns the documented path of a request's path, empty for none.
func (c *contract) pathOf(request string) string {
	request, _, _ = strings.Cut(request, "?")
	given := strings.Split(request, "/")
	for documented := range memberAt(c.document, "paths") {
		if slices.EqualFunc(strings.Split(documented, "/"), given, func(want, got string) bool {
			return want == got || strings.HasPrefix(want, "{") && got != "rotate"
		}) {
			return documented
		}
	}
	return ""
}

// operation returns the documented operation of a request, nil for none.
func (c *contract) operation(method, path string) map[string]any {
	if method != strings.ToUpper(method) {
		return nil // methods are case-sensitive
	}
	return memberAt(c.document, "paths", c.pathOf(path), strings.ToLower(method))
}

// requireDocumented fails if the response is not as documented: its status or problem
// code, its media type, its headers and every member of its body.
func (c *contract) requireDocumented(t testing.TB, method, path string, a rawResponse) {
	t.Helper()
	operation := c.operation(method, path)
	require.NotNil(t, operation, "%s %s is not documented", method, path)
	status := strconv.Itoa(a.StatusCode)
	place := []string{"paths", c.pathOf(path), strings.ToLower(method), "responses", status}
	response := memberAt(operation, "responses", status)
	if response == nil {
		require.Equal(t, "#/components/responses/Problem", memberAt(operation, "responses", "default")["$ref"], "%s %s", method, path)
		require.Contains(t, operation["x-problem-codes"], string(a.problem(t).Code), "%s %s returned a problem that is not documented: %s", method, path, a.body)
		require.Equal(t, a.StatusCode == http.StatusTooManyRequests || a.StatusCode == http.StatusServiceUnavailable, a.Header.Get("Retry-After") != "", "Retry-After of %s %s", method, path)
		place = []string{"components", "responses", "Problem"}
		response = memberAt(c.document, place...)
	}
	for header, described := range memberAt(response, "headers") {
		if described.(map[string]any)["required"] == false {
			continue
		}
		require.NotEmpty(t, a.Header.Get(header), "%s %s: %s comes with the header %s", method, path, status, header)
	}
	if a.body == "" {
		return
	}
	media, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.NotNil(t, memberAt(response, "content", media), "%s %s: %s as %s is not documented", method, path, status, media)
	for _, text := range documentsIn(media, a.body) {
		c.requireValid(t, text, append(place, "content", media, "schema")...)
	}
}

// documentsIn returns the JSON documents of a body. Server-sent events are documented
// as text.
func documentsIn(media, body string) []string {
	switch media {
	case "application/json", api.ProblemMediaType:
		return []string{body}
	case api.NDJSONMediaType:
		return strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	}
	return nil
}

// requireValid fails if the JSON text does not match the schema at the place in the
// document.
func (c *contract) requireValid(t testing.TB, text string, place ...string) {
	t.Helper()
	require.NoError(t, c.validationError(t, text, place...), "the schema of %v rejects %s", place, text)
}

func (c *contract) validationError(t testing.TB, text string, place ...string) error {
	t.Helper()
	pointer := ""
	for _, name := range place {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(name)
	}
	schema, err := c.schemas.Compile(contractURL + "#" + pointer)
	require.NoError(t, err, "compile the schema at %s", pointer)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err, text)
	return schema.Validate(value)
}

// operations returns each operation as "METHOD path", sorted.
func (c *contract) operations() []string {
	var all []string
	for path, item := range memberAt(c.document, "paths") {
		for method := range maps.Keys(item.(map[string]any)) {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

// refsIn returns every reference in a JSON value.
func refsIn(value any) []string {
	var refs []string
	switch v := value.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			refs = append(refs, ref)
		}
		for _, inner := range v {
			refs = append(refs, refsIn(inner)...)
		}
	case []any:
		for _, inner := range v {
			refs = append(refs, refsIn(inner)...)
		}
	}
	return refs
}

// encodeJSON encodes a value of these tests.
func encodeJSON(t testing.TB, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err, fmt.Sprintf("%T", value))
	return string(text)
}
