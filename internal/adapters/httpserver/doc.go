// Package httpserver serves the REST API: the routes below /v1, health, metrics and the
// OpenAPI document. It is an inbound adapter: handlers decode a request, call the store or
// the cluster service, and encode the result.
//
// A request passes through these steps:
//
//	handler.go    Server.serveHTTP counts it, checks its origin, finds its route, names
//	              the store in the response, and bounds its time
//	router.go     matches the path segment by segment; a game id is one escaped segment
//	routes.go     the table of all routes, with all that the OpenAPI document describes
//	internal/request   decodes parameters and body into the input of the handler
//	the handler   (runtimes.go, put.go, transition.go, watch.go, operations.go,
//	              drift.go, nodes.go, system.go) calls and responds, or returns an error
//	internal/problem   converts that error to a problem document
//
// An operation on a game is executed here (execute.go), with its progress as a stream
// (operation_stream.go), or forwarded to the node that the game lives on (forward.go, with
// the client of package peer). The cluster service decides which; see Cluster.
//
// Streams are written by internal/stream. internal/etag and internal/pagetoken hold
// conditional headers and page tokens. The document api.OpenAPI is generated from Routes.
package httpserver

//go:generate go run ./gen ../../api/openapi.json
