// Package httpclient is the client of the REST API. It implements the ports of a runtime
// record store and of an executor over HTTP. It converts the problem documents of the API
// to errors of the domain.
//
// Three rules hold for every call:
//
//   - A read that gets no response fails with runtime.ErrUnavailable. It is not retried:
//     the caller decides.
//   - A write that may have reached the server is retried under the same operation id
//     until a response shows its outcome. If that does not happen in time, the error is
//     runtime.ErrOutcomeUnknown. Change requests without an idempotency key, such as a
//     repair, are sent once.
//   - A watch reconnects and resumes from the last revision that it delivered completely,
//     so its consumer sees no gap and no duplicate.
//
// Files:
//
//	client.go            Config, Client and the HTTP transport
//	servers.go           several servers of one store: which one gets a request
//	request.go           one request: send it, decode its response, classify a failure
//	credentials.go       the bearer token and the TLS settings of requests
//	errors.go            problem document -> domain error
//	read.go              records, pages, history, store information and fsck
//	write.go             Put and Transition: retries of writes that may have arrived
//	operations.go        lifecycle operations: start, stop, restart, patch, cleanup
//	operation_stream.go  the progress stream of one operation, across reconnects
//	nodes.go             nodes, explanations, drift and brakes
//	secrets.go           secrets
//	access.go            identities, tokens and roles
//	members.go           the etcd members of the store
//	stores.go            other stores, and lists of all stores
//	watch.go             Watch: the state of one watch and its reconnect loop
//	watch_connection.go  one connection of a watch: open, check, idle timeout
//	watch_events.go      collects the events of one revision and emits them together
//	watch_resync.go      emits deleted games when a snapshot replaces an earlier one
//	event_reader.go      reads newline-delimited JSON
//
// What a change of the API needs here:
//
//   - A query parameter: the method that sends it, in read.go or watch_connection.go.
//   - A header: originHeader in write.go.
//   - A problem code: sentinelByCode in errors.go.
package httpclient
