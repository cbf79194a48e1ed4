// Package api holds the JSON of the REST API under /v1, as the server, its client and
// the command line share it. It contains data and conversions, and decides nothing.
//
//	runtimes.go   records: pages, history, status changes
//	events.go     elements of a watch stream
//	operation.go  requests, results and streams of operations
//	drift.go, nodes.go, cluster.go, check.go
//	problem.go    errors and their codes
//	headers.go    header names, and text beyond ASCII in headers
//	openapi.go    the OpenAPI document, generated from the routes of httpserver
//
// The tag doc of a field is its description in the OpenAPI document; nullable,
// required, itemsRequired, minItems, maxItems and format are checked by the server when
// it decodes a request, and are part of the document too.
package api
