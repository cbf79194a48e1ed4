package httpserver

import (
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
)

// Routes that other files speak of.
const (
	routeDrift   = "/v1/drift"
	routeApply   = "/v1/drift/apply"
	routeRelease = "/v1/drift/release"
)

const operationDescription = `Answers when the operation is over, or earlier as wait says. The operation goes on when the client leaves
or an answer gets lost: Idempotency-Key is its id, and a request with the id of an operation that is in progress
waits for it, with the id of one of the last 16 of the game is told how that ended.

With Accept: application/x-ndjson or text/event-stream the answer is a stream of events: progress, and then one
result or one error. An error that happens before the stream begins is an ordinary problem, and one that comes later
has its problem in the event.

A game that lives on another node is passed on to it. node_unreachable says that nothing was done, and
outcome_unknown that the operation may go on.`

// longRoutes are those whose work may take as long as an operation.
func longRoutes() []string {
	routes := []string{routeApply}
	for _, o := range operationKinds() {
		routes = append(routes, operationRoute(o.kind))
	}
	return routes
}

func isLong(route string) bool { return slices.Contains(longRoutes(), route) }

func operationRoute(kind operation.Kind) string { return runtimesPath + "{game_id}/" + string(kind) }

type operationKind struct {
	kind    operation.Kind
	summary string
	body    string
}

func operationKinds() []operationKind {
	return []operationKind{
		{operation.KindStart, "Start a game, for the first time or again", startBodySchema},
		{operation.KindStop, "Stop a game; its container is kept", emptyBodySchema},
		{operation.KindRestart, "Stop a game and start it again", emptyBodySchema},
		{operation.KindPatch, "Run a game with another image; the old one comes back where the new one does not start", patchBodySchema},
		{operation.KindCleanup, "Remove the container of a stopped game", emptyBodySchema},
	}
}

// registerOperations declares what is asked of the part that runs games.
func (s *Server) registerOperations(humaAPI huma.API) {
	body := []int{
		http.StatusForbidden, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity,
	}
	nodes := []int{http.StatusBadRequest, http.StatusNotImplemented, http.StatusBadGateway, http.StatusServiceUnavailable}
	all := slices.Concat(body, nodes, []int{
		http.StatusNotFound, http.StatusConflict, http.StatusTooManyRequests, http.StatusGatewayTimeout, http.StatusInsufficientStorage,
	})
	for _, o := range operationKinds() {
		op := s.operation(string(o.kind)+"-runtime", http.MethodPost, operationRoute(o.kind), "operations", o.summary, all...)
		op.Description = operationDescription
		op.Middlewares = huma.Middlewares{s.withBody}
		op.Responses["200"] = answerResponse(s.registry, "The operation is over, or has come as far as wait asks")
		op.Responses["202"] = &huma.Response{
			Description: "The operation has been accepted and goes on",
			Content:     map[string]*huma.MediaType{"application/json": {Schema: schemaOf[api.OperationAnswer](s.registry)}},
		}
		huma.Register(humaAPI, op, s.operate(o.kind))
		documented := humaAPI.OpenAPI().Paths[op.Path].Post
		documentBody(documented, o.body)
		documented.RequestBody.Required = o.kind == operation.KindPatch
	}
	huma.Register(humaAPI, s.operation("explain-runtime", http.MethodGet, runtimesPath+"{game_id}/explain", "operations",
		"Tell what a game is doing and how it came to that", append([]int{http.StatusNotFound, http.StatusGatewayTimeout}, nodes...)...), s.explainRuntime)
	huma.Register(humaAPI, s.operation("get-nodes", http.MethodGet, "/v1/nodes", "operations",
		"List the nodes that are present, and who leads each region", http.StatusBadRequest, http.StatusNotImplemented, http.StatusServiceUnavailable), s.getNodes)

	huma.Register(humaAPI, s.operation("get-drift", http.MethodGet, routeDrift, "operations",
		"List where records and engines disagree, and what would be done about it", nodes...), s.getDrift)
	apply := s.operation("apply-drift", http.MethodPost, routeApply, "operations",
		"Act on findings, each if nothing has changed since it was reported", append(body, nodes...)...)
	apply.Middlewares = huma.Middlewares{s.withBody}
	huma.Register(humaAPI, apply, s.applyDrift)
	documentBody(humaAPI.OpenAPI().Paths[apply.Path].Post, applyBodySchema)
	huma.Register(humaAPI, s.operation("release-brake", http.MethodPost, routeRelease, "operations",
		"Let go on what the brake of a node held back",
		append([]int{http.StatusForbidden, http.StatusConflict, http.StatusGatewayTimeout}, nodes...)...), s.releaseBrake)
}

// answerResponse is an operation's answer, in one piece or as a stream.
func answerResponse(registry huma.Registry, text string) *huma.Response {
	return &huma.Response{
		Description: text,
		Content: map[string]*huma.MediaType{
			"application/json":       {Schema: schemaOf[api.OperationAnswer](registry)},
			api.EventStreamMediaType: {Schema: &huma.Schema{Type: huma.TypeString}},
			api.NDJSONMediaType:      {Schema: schemaOf[api.OperationEvent](registry)},
		},
	}
}
