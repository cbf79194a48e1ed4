package httpserver

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"galaxy/rtmanager/internal/api"
)

// Routes that other files speak of.
const (
	routeWatch = "/v1/watch"
	routeCheck = "/v1/fsck"
)

// register declares every route, which both serves and documents it.
func (s *Server) register() {
	humaAPI := s.newAPI()
	read := []int{http.StatusBadRequest, http.StatusServiceUnavailable}
	readGame := append([]int{http.StatusNotFound}, read...)
	write := append([]int{
		http.StatusForbidden, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity, http.StatusGatewayTimeout, http.StatusInsufficientStorage,
	}, read...)

	huma.Register(humaAPI, s.operation("list-runtimes", http.MethodGet, "/v1/runtimes", "runtimes",
		"List records, in pages that stand at one revision",
		append([]int{http.StatusGone}, read...)...), s.listRuntimes)

	get := s.operation("get-runtime", http.MethodGet, runtimesPath+"{game_id}", "runtimes", "Get one record", readGame...)
	get.Responses["304"] = &huma.Response{Description: "The record still has the ETag that the request named"}
	huma.Register(humaAPI, get, s.getRuntime)

	put := s.operation("put-runtime", http.MethodPut, runtimesPath+"{game_id}", "runtimes",
		"Insert the record, or overwrite every field of the one that is there",
		append([]int{http.StatusPreconditionFailed}, write...)...)
	put.Middlewares = huma.Middlewares{s.withBody}
	huma.Register(humaAPI, put, s.putRuntime)
	documentBody(humaAPI.OpenAPI().Paths[put.Path].Put, recordBodySchema)

	post := s.operation("set-runtime-status", http.MethodPost, runtimesPath+"{game_id}/status", "runtimes",
		"Move a game from one status to another if it is as expected",
		append([]int{http.StatusNotFound, http.StatusConflict}, write...)...)
	post.Middlewares = huma.Middlewares{s.withBody}
	huma.Register(humaAPI, post, s.postStatus)
	documentBody(humaAPI.OpenAPI().Paths[post.Path].Post, statusBodySchema)

	huma.Register(humaAPI, s.operation("get-runtime-history", http.MethodGet, runtimesPath+"{game_id}/history", "runtimes",
		"Get a game's recent transitions, newest first", readGame...), s.getHistory)

	watch := s.operation("watch-runtimes", http.MethodGet, routeWatch, "watch",
		"Watch every change of every record, in order and once",
		append([]int{http.StatusNotAcceptable, http.StatusGone, http.StatusTooManyRequests}, read...)...)
	watch.Description = watchDescription
	watch.Responses["200"] = streamResponse(s.registry)
	huma.Register(humaAPI, watch, s.watch)

	s.registerOperations(humaAPI)

	huma.Register(humaAPI, s.operation("get-cluster", http.MethodGet, "/v1/cluster", "system",
		"Describe the store, its members, and the daemon that answers", read...), s.getCluster)
	huma.Register(humaAPI, s.operation("check-store", http.MethodGet, routeCheck, "system",
		"Check the store's rules at one revision", read...), s.checkStore(false))
	huma.Register(humaAPI, s.operation("repair-store", http.MethodPost, routeCheck+"/repair", "system",
		"Check the store's rules and mend what can be mended",
		append([]int{http.StatusForbidden, http.StatusInsufficientStorage}, read...)...), s.checkStore(true))

	huma.Register(humaAPI, s.operation("get-health", http.MethodGet, "/healthz", "system",
		"Say that the process serves; never touches the store", http.StatusBadRequest), s.getHealth)
	ready := s.operation("get-readiness", http.MethodGet, "/readyz", "system",
		"Say whether requests should be sent here", http.StatusBadRequest)
	ready.Responses["503"] = &huma.Response{
		Description: "Not ready; the checks say why",
		Content:     map[string]*huma.MediaType{"application/json": {Schema: schemaOf[health](s.registry)}},
	}
	huma.Register(humaAPI, ready, s.getReady)
	s.registerMetrics(humaAPI)
	forgetHumasErrors(s.registry)
}

// forgetHumasErrors takes the schemas of huma's own errors out of the document.
// Registering an operation puts them there, but plainProblem replaces every one.
func forgetHumasErrors(registry huma.Registry) {
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		delete(registry.Map(), name)
	}
}

// registerMetrics serves the registry through promhttp.
func (s *Server) registerMetrics(humaAPI huma.API) {
	op := s.operation("get-metrics", http.MethodGet, "/metrics", "system", "Metrics in the format of Prometheus")
	op.Responses["200"] = &huma.Response{
		Description: "The metrics",
		Content:     map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}
	handler := promhttp.HandlerFor(s.cfg.Registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
	humaAPI.OpenAPI().AddOperation(&op)
	humaAPI.Adapter().Handle(&op, func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		handler.ServeHTTP(w, r)
	})
}

// documentBody says that the operation takes a JSON body of the schema. It is
// for an operation that has been registered: one that says so before makes huma
// read the body itself, which is withBody's to do.
func documentBody(op *huma.Operation, schema string) {
	op.RequestBody = &huma.RequestBody{
		Required: true,
		Content:  map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Ref: schemaPrefix + schema}}},
	}
}

func streamResponse(registry huma.Registry) *huma.Response {
	return &huma.Response{
		Description: "The stream",
		Headers: map[string]*huma.Param{
			api.HeaderHeartbeat: {Description: "The longest silence on this stream, in seconds", Schema: &huma.Schema{Type: huma.TypeInteger}},
		},
		Content: map[string]*huma.MediaType{
			api.EventStreamMediaType: {Schema: &huma.Schema{Type: huma.TypeString}},
			api.NDJSONMediaType:      {Schema: schemaOf[api.Event](registry)},
		},
	}
}
