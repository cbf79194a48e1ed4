// Package httpserver serves the REST API: the routes below /v1, probes, metrics and the
// OpenAPI document. It is an inbound adapter: handlers decode a request, call the store or
// the cluster service, and encode the result.
//
// A request passes through these steps:
//
//	handler.go         serveHTTP counts the request, checks it, finds its route, sets the
//	                   header Rtmanager-Store and the deadline, and calls the handler
//	request_id.go      identifies the request in the response, in logs and in the audit log
//	audit_trail.go     records mutations and denied requests in the audit log, as the event of
//	                   audit_event.go
//	internal/connlimit bounds the open connections, and those of one address
//	framing.go         closes connections whose requests a proxy may read differently
//	host_check.go      checks the host name and the origin of the request
//	router.go          matches the path by segments; a game id is one escaped segment
//	routes.go          the table of all routes, with their description for OpenAPI;
//	                   route.go has the type of its rows and helpers
//	admit.go           admits the caller: internal/callers authenticates and authorizes it by
//	                   permissions.go, the table of what each route needs
//	limits.go          bounds the requests of each caller
//	internal/request   decodes parameters and body into the input of the handler
//	the handler        calls the store or the cluster, and responds or returns an error
//	internal/problem   converts that error to a problem document
//
// Handlers:
//
//	runtimes.go    list, get, history
//	list_etag.go   ETags of lists
//	shared_lists.go  lists whose records are encoded once for all callers
//	put.go         PUT of a record, with its conditional headers
//	set_status.go  one transition
//	delete.go      DELETE of a removed game
//	watch.go       the stream of changes; events.go derives events of games from it
//	operations.go  start, stop, restart, patch, cleanup: executed here or forwarded
//	operation_resources.go  operations as resources: get, list, cancel
//	drift.go       findings and brakes
//	explain.go     the explanation of a game
//	nodes.go       present nodes; maintenance.go changes what operators set for them
//	logs.go        the log of a game, a stream of its node
//	exec.go        a command in a game, a WebSocket of its node
//	offer.go       how well this node could run a game
//	access.go      AccessAdmin, and the routes of identities, tokens and roles
//	identity.go    the identity of the caller, and the permissions of a subject
//	tokens.go      list, create and revoke tokens
//	roles.go       list, grant and revoke roles
//	secrets.go     secrets, with their routes
//	federation.go  the other stores, and requests that are forwarded to them
//	all_stores.go  the list of all stores
//	members.go     the etcd members of the store, with their routes
//	system.go      cluster, fsck, metrics, the OpenAPI document
//	outage.go      requests while the store does not respond
//	health.go      the probes /healthz and /readyz
//	inputs.go      parameters that several handlers share
//	regions.go     the state of the regions in lists, and the age of local reads
//	cursor.go      the position of a watch stream
//
// The cluster service selects the node of an operation; see Cluster (cluster.go). This node
// executes it (execute.go) and may stream its progress (operation_stream.go). Otherwise the
// request is forwarded to the other node (forward.go) by the client of package peer. Games (games.go)
// reads what the games of this node do.
//
// Other files: server.go has Server and its shutdown, config.go its settings, metrics.go
// its metrics, slots.go the bound of its open streams. Package stream writes streams, and packages etag and pagetoken convert
// conditional headers and page tokens.
//
// What a change of the API needs:
//
//   - A route: its types in package api, a handler, a row in routes.go, and one in permissions.go.
//   - A parameter: a field with a tag in the input of its handler (see package request).
//   - A JSON member: a field with the tag doc in package api. A member of a domain type has
//     its description in gen/descriptions.go.
//   - A problem code: see package problem.
//   - A metric of the API: metrics.go.
//
// Then go generate writes api/openapi.json from Routes, and package httpclient follows. Tests
// compare the responses with the document.
package httpserver

//go:generate go run ./gen ../../api/openapi.json
