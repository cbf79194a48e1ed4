// Package api has the JSON types of the REST API under /v1, which the server, its client
// and the command line share. It contains data and conversions, and no decisions.
//
//	runtimes.go   records: pages, history, status changes
//	events.go     elements of a watch stream
//	operation.go  requests, results and streams of operations
//	drift.go      findings to apply, and their results
//	nodes.go      present nodes and leaders
//	regions.go    the regions of a list, and their absent nodes
//	offer.go      how well a node could run a game
//	cluster.go    the store, its etcd members, and the daemon
//	members.go    each etcd member, the quorum, and the removal of a member
//	stores.go     other stores, and lists of all stores
//	access.go     the caller, identities, tokens and roles
//	identity.go   the header of a forwarded identity
//	secrets.go    secrets
//	check.go      results of fsck
//	problem.go    errors and their codes
//	headers.go    header names, and text beyond ASCII in headers
//	requestid.go  ids of requests
//	openapi.go    the OpenAPI document, generated from the routes of httpserver
//	json.go       encoding of all of these types
//
// The tag doc of a field is its description in the OpenAPI document. The server checks the
// tags nullable, required, itemsRequired, minItems and maxItems when it decodes a request.
// They and the tag format are part of the document too.
package api
