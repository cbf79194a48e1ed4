// Package connlimit bounds the open connections of an HTTP server, in all and of one address, so
// that other parts of the process keep their file descriptors and one client cannot take all
// connections.
//
//	limiter.go    Limiter: hooks of http.Server, and the response beyond a limit
//	addresses.go  connections by address
//	unused.go     connections without a request, which are closed at the limit
package connlimit
