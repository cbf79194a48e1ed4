package httpserver_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
)

// The document describes exactly the routes of the daemon.
func TestOpenAPIDescribesEveryRoute(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{Version: "1.2.3"})
	c := contractOf(t, f)
	require.Regexp(t, `^3\.1\.`, c.document["openapi"])
	require.Equal(t, "1.2.3", memberAt(c.document, "info")["version"])
	require.Equal(t, []string{
		"DELETE /v1/cluster/members/{name}", "DELETE /v1/nodes", "DELETE /v1/operations/{operation_id}", "DELETE /v1/rollouts/{rollout_id}", "DELETE /v1/runtimes/{game_id}", "DELETE /v1/runtimes/{game_id}/operations/{operation_id}", "DELETE /v1/secrets/{name}", "DELETE /v1/tokens/{name}", "GET /healthz", "GET /metrics", "GET /readyz",
		"GET /v1/auth", "GET /v1/can-i", "GET /v1/cluster", "GET /v1/cluster/members", "GET /v1/drift", "GET /v1/events", "GET /v1/fsck", "GET /v1/nodes", "GET /v1/operations", "GET /v1/operations/{operation_id}", "GET /v1/roles", "GET /v1/rollouts", "GET /v1/rollouts/{rollout_id}", "GET /v1/runtimes", "GET /v1/runtimes/{game_id}",
		"GET /v1/runtimes/{game_id}/exec", "GET /v1/runtimes/{game_id}/explain", "GET /v1/runtimes/{game_id}/history", "GET /v1/runtimes/{game_id}/logs", "GET /v1/runtimes/{game_id}/operations", "GET /v1/runtimes/{game_id}/operations/{operation_id}", "GET /v1/runtimes/{game_id}/stats", "GET /v1/secrets", "GET /v1/secrets/{name}", "GET /v1/stores", "GET /v1/tokens", "GET /v1/watch", "GET /v1/whoami",
		"POST /v1/drift/apply", "POST /v1/drift/release", "POST /v1/fsck/repair",
		"POST /v1/nodes/{region}/{node}/cordon", "POST /v1/nodes/{region}/{node}/drain", "POST /v1/nodes/{region}/{node}/pause", "POST /v1/nodes/{region}/{node}/resume", "POST /v1/nodes/{region}/{node}/uncordon",
		"POST /v1/regions/{region}/pause", "POST /v1/regions/{region}/resume",
		"POST /v1/roles/grant", "POST /v1/roles/revoke",
		"POST /v1/rollouts", "POST /v1/rollouts/{rollout_id}/pause", "POST /v1/rollouts/{rollout_id}/resume", "POST /v1/rollouts/{rollout_id}/undo",
		"POST /v1/runtimes/{game_id}/cleanup", "POST /v1/runtimes/{game_id}/labels", "POST /v1/runtimes/{game_id}/metadata", "POST /v1/runtimes/{game_id}/move",
		"POST /v1/runtimes/{game_id}/offer", "POST /v1/runtimes/{game_id}/patch", "POST /v1/runtimes/{game_id}/restart",
		"POST /v1/runtimes/{game_id}/start", "POST /v1/runtimes/{game_id}/status", "POST /v1/runtimes/{game_id}/stop", "POST /v1/secrets/rotate", "POST /v1/specs", "POST /v1/tokens",
		"PUT /v1/runtimes/{game_id}", "PUT /v1/secrets/{name}",
	}, c.operations())
	for _, operation := range c.operations() {
		method, path, _ := strings.Cut(operation, " ")
		got := f.send(method, strings.NewReplacer("{game_id}", "g", "{name}", "s", "{region}", "eu", "{node}", "n1").Replace(path), "Accept: nothing/known\r\n", "")
		require.NotEqual(t, api.CodeNoSuchRoute, tryProblem(got.body).Code, "%s is documented but not served", operation)
		require.NotEqual(t, http.StatusMethodNotAllowed, got.StatusCode, "%s is documented but not served", operation)
	}
}

func TestOpenAPIReferencesResolve(t *testing.T) {
	t.Parallel()
	c := contractOf(t, start(t, httpserver.Config{}))
	refs := refsIn(c.document)
	require.NotEmpty(t, refs)
	schemas := memberAt(c.document, "components", "schemas")
	used := map[string]bool{}
	for _, ref := range refs {
		if ref == "#/components/responses/Problem" {
			require.NotNil(t, memberAt(c.document, "components", "responses", "Problem"))
			continue
		}
		if name, isParameter := strings.CutPrefix(ref, "#/components/parameters/"); isParameter {
			require.NotNil(t, memberAt(c.document, "components", "parameters", name), ref)
			continue
		}
		name, ok := strings.CutPrefix(ref, "#/components/schemas/")
		require.True(t, ok, "%s leaves the document's schemas", ref)
		require.Contains(t, schemas, name, "%s leads nowhere", ref)
		used[name] = true
	}
	for name := range schemas {
		require.True(t, used[name], "no part of the document uses the schema %s", name)
		_, err := c.schemas.Compile(contractURL + "#/components/schemas/" + name)
		require.NoError(t, err, "schema %s", name)
	}
}

func TestOpenAPINamesAndDescribesEverything(t *testing.T) {
	t.Parallel()
	c := contractOf(t, start(t, httpserver.Config{}))
	ids := map[any]bool{}
	for _, name := range c.operations() {
		method, path, _ := strings.Cut(name, " ")
		operation := c.operation(method, path)
		require.NotEmpty(t, operation["summary"], name)
		require.False(t, ids[operation["operationId"]], "%s shares its operation id", name)
		ids[operation["operationId"]] = true
		parameters := c.parameters(operation)
		for _, parameter := range parameters {
			p := parameter.(map[string]any)
			require.NotEmpty(t, p["description"], "%s %s", name, p["name"])
			require.NotEmpty(t, p["schema"], "%s %s", name, p["name"])
			schema := p["schema"].(map[string]any)
			if value, found := schema["default"]; found && schema["type"] == "boolean" {
				require.IsType(t, true, value, "%s %s", name, p["name"])
			}
		}
		named := slices.ContainsFunc(parameters, func(p any) bool {
			return strings.Contains(path, "{"+p.(map[string]any)["name"].(string)+"}") && p.(map[string]any)["in"] == "path"
		})
		require.Equal(t, strings.Contains(path, "{"), named, "%s and its path parameter", name)
		require.Contains(t, operation["responses"], "default", name)
		for _, code := range []api.Code{api.CodeHostRejected, api.CodeInternal} {
			require.Contains(t, operation["x-problem-codes"], string(code), name)
		}
	}
}

// tryProblem returns the problem of a body, empty for any other body.
func tryProblem(body string) api.Problem {
	p, _ := tryDecode[api.Problem](body)
	return p
}

// parameters returns the parameters of an operation, with references resolved.
func (c *contract) parameters(operation map[string]any) []any {
	parameters, _ := operation["parameters"].([]any)
	shared := c.document["components"].(map[string]any)["parameters"].(map[string]any)
	resolved := slices.Clone(parameters)
	for i, p := range parameters {
		if ref, isRef := p.(map[string]any)["$ref"].(string); isRef {
			resolved[i] = shared[strings.TrimPrefix(ref, "#/components/parameters/")]
		}
	}
	return resolved
}

// Every example of a body is valid by its schema.
func TestOpenAPIExamplesAreValid(t *testing.T) {
	t.Parallel()
	c := contractOf(t, start(t, httpserver.Config{}))
	examples := 0
	for _, name := range c.operations() {
		method, path, _ := strings.Cut(name, " ")
		body, hasBody := c.operation(method, path)["requestBody"].(map[string]any)
		if !hasBody {
			continue
		}
		content := body["content"].(map[string]any)["application/json"].(map[string]any)
		example, hasExample := content["example"]
		if !hasExample {
			continue
		}
		examples++
		schema, err := c.schemas.Compile(contractURL + content["schema"].(map[string]any)["$ref"].(string))
		require.NoError(t, err, name)
		require.NoError(t, schema.Validate(example), name)
	}
	require.GreaterOrEqual(t, examples, 8)
}
