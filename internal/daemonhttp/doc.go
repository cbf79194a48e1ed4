// Package daemonhttp has what the HTTP clients of other daemons share: those of the other nodes of a
// store, and those of other stores.
//
//	transports.go  Transports: connections that follow changes of certificates
//	forward.go     Forward: a request sent to another daemon, its response as it arrives
//	caller.go      the caller whose request is forwarded
//	response.go    responses that come from the API
package daemonhttp
