// Package federation calls the daemons of other stores.
//
//	client.go     Client: the stores of the settings, and their states
//	remote.go     the state of one store, and which of its URLs is in use
//	probe.go      one probe of a daemon of another store
//	forward.go    Forward: the response of another store, as it arrives
//	list.go       ListPage: a page of the list of another store
//	request.go    headers of requests; responses that are used
//	transport.go  a transport to one URL, which verifies the daemon
//
// A store is used only after a daemon of it has responded to a probe: with its version of the API and
// its identity. The identity of a name never changes while this daemon runs, and two names never
// have the same. The caller of a request is forwarded over mutual TLS as between the daemons of
// one store, and the other store authorizes it by its own policy.
package federation
