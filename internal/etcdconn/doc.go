// Package etcdconn connects a process to the members of an etcd cluster. It measures every
// endpoint and sends each request to the nearest one that is healthy.
//
// The etcd client library takes endpoints in turn, at any distance and in any state. A
// Pool replaces its connection: the clients of the library call a router, which selects the
// endpoint of each request and stream. A request that fails leaves its endpoint until a
// probe has shown that the endpoint serves requests. Streams move to a healthy endpoint.
//
//	pool.go      Pool: its life, and what it reports
//	client.go    the client of the etcd library
//	options.go   settings of a Pool
//	endpoint.go  one endpoint and its two connections
//	health.go    state of an endpoint, from probes and from requests
//	select.go    the rule by which an endpoint is selected
//	router.go    the connection that the client library calls
//	failure.go   what the error of a request means for its endpoint
//	stream.go    streams that move from one endpoint to another
//	probe.go     periodic measurement of each endpoint
//	login.go     token of the user, from a password file
package etcdconn
