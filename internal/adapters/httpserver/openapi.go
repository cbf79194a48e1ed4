package httpserver

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Names of the schemas of request bodies.
const (
	schemaPrefix     = "#/components/schemas/"
	recordBodySchema = "RuntimeRecordBody"
	statusBodySchema = "StatusChange"
	startBodySchema  = "StartRequest"
	patchBodySchema  = "PatchRequest"
	emptyBodySchema  = "EmptyBody"
	applyBodySchema  = "DriftApply"
)

const apiDescription = `A linearizable record per game, changed by compare-and-swap and watched.

Errors are application/problem+json; their member code is the word to act on. Answers of the routes under /v1
name the store in the header Rtmanager-Store: a revision means something only together with it.`

const watchDescription = `A stream of events as text/event-stream, or with Accept: application/x-ndjson one JSON event a line.

Without from_revision it opens with a snapshot event per record and synced, and goes on with every change. The id
of a server-sent event is its revision, and is only on the last event of a revision: Last-Event-ID resumes there.
An idle event stream carries comments; an idle NDJSON stream repeats the bookmark of the last resumable
revision. An error that happens before the stream begins is an ordinary problem. Later ones come as an event of type
error: with final true the stream ends, with final false it reports one value that cannot be read and goes on.`

// newAPI sets huma up: its document, no routes or response members beyond
// ours, and our form of errors.
func (s *Server) newAPI() huma.API {
	cfg := huma.DefaultConfig("rtmanager", s.cfg.Version)
	cfg.Info.Description = apiDescription
	cfg.Servers = []*huma.Server{{URL: "/", Description: "This daemon"}}
	cfg.CreateHooks, cfg.DocsPath, cfg.SchemasPath = nil, "", ""
	// Clients must live with members that they do not know.
	cfg.AllowAdditionalPropertiesByDefault = true
	cfg.Transformers = []huma.Transformer{plainProblem}
	humaAPI := humago.New(s.mux, cfg)
	s.registry = humaAPI.OpenAPI().Components.Schemas
	s.describeSchemas()
	humaAPI.UseMiddleware(checkParams(s.registry))
	return humaAPI
}

// operation declares a route with the problems it may answer, besides those
// that every route may.
func (s *Server) operation(id, method, path, tag, summary string, problems ...int) huma.Operation {
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{tag},
		Responses: map[string]*huma.Response{},
	}
	for _, status := range append(problems, http.StatusMisdirectedRequest, http.StatusInternalServerError) {
		response := &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{api.ProblemMediaType: {Schema: schemaOf[api.Problem](s.registry)}},
		}
		if asksToRetry(status) {
			response.Headers = map[string]*huma.Param{
				"Retry-After": {Description: "How many seconds to wait first", Schema: &huma.Schema{Type: huma.TypeInteger}},
			}
		}
		op.Responses[strconv.Itoa(status)] = response
	}
	return op
}

func schemaOf[T any](registry huma.Registry) *huma.Schema {
	return registry.Schema(reflect.TypeFor[T](), true, "")
}

// describeSchemas says of the domain's types what their Go declarations, which
// know nothing of this API, cannot, and derives the schemas of the bodies.
func (s *Server) describeSchemas() {
	schemaOf[runtime.RuntimeRecord](s.registry)
	schemaOf[runtime.LedgerEntry](s.registry)
	schemaOf[api.StatusChange](s.registry)
	schemas := s.registry.Map()

	record := schemas["RuntimeRecord"]
	record.Description = "What the store remembers of one game's runtime. Instants are UTC; one that does not apply is absent."
	record.Properties["status"].Enum = statusWords()
	record.Properties["status"].PrecomputeMessages()
	for name, text := range recordDescriptions() {
		record.Properties[name].Description = text
	}
	schemas["LedgerEntry"].Description = "How a record came to be what it was at one revision."

	s.recordSchema = bodySchema(record)
	s.recordSchema.Description = "A record to write. game_id may be left out; which instants and ids it wants depends on its status."
	s.recordSchema.Required = nil
	for _, name := range []string{"started_at", "stopped_at", "removed_at"} {
		instant := *s.recordSchema.Properties[name]
		instant.Nullable = true
		s.recordSchema.Properties[name] = &instant
	}
	s.statusSchema = bodySchema(schemas[statusBodySchema])
	schemas[recordBodySchema], schemas[statusBodySchema] = s.recordSchema, s.statusSchema
	s.describeOperationBodies()
}

// bodySchema returns a copy that takes no members but its own.
func bodySchema(of *huma.Schema) *huma.Schema {
	body := *of
	body.AdditionalProperties = false
	body.Properties = map[string]*huma.Schema{}
	for name, property := range of.Properties {
		body.Properties[name] = property
	}
	body.Required = slices.Clone(of.Required)
	return &body
}

// closed is bodySchema for a body that nests: objects in it, and in its lists, take
// no members but their own either.
func closed(registry huma.Registry, of *huma.Schema) *huma.Schema {
	for of.Ref != "" {
		of = registry.SchemaFromRef(of.Ref)
	}
	switch {
	case len(of.Properties) > 0:
		body := bodySchema(of)
		for name, property := range body.Properties {
			body.Properties[name] = closed(registry, property)
		}
		return body
	case of.Items != nil:
		list := *of
		list.Items = closed(registry, of.Items)
		return &list
	}
	return of
}

func statusWords() []any {
	var words []any
	for _, status := range runtime.Statuses() {
		words = append(words, string(status))
	}
	return words
}

func recordDescriptions() map[string]string {
	return map[string]string{
		"game_id":              "The game; 1 to 256 bytes of UTF-8 without control characters",
		"status":               "What the game's container is doing as far as the record knows",
		"region":               "Where the game lives; may be empty",
		"node":                 "The daemon that runs it; may be empty",
		"current_container_id": "The engine's id of the container; empty once removed",
		"current_image_ref":    "The image of the container",
		"engine_endpoint":      "Where the game engine in the container is reached",
		"state_path":           "The directory on the node that holds the game's state",
		"docker_network":       "The network that the container is in",
		"generation":           "How many containers this game has had",
		"created_at":           "When the game was first recorded",
		"last_op_at":           "When the last operation says it happened; for people, never to order by",
		"started_at":           "When the container last began to run",
		"stopped_at":           "When it stopped",
		"removed_at":           "When it was removed",
	}
}
