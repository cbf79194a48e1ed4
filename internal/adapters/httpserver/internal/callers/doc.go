// Package callers authenticates and authorizes the callers of requests.
//
//	caller.go        Caller, and that of a context
//	authenticate.go  the identity that a request proves, also one that a daemon forwards
//	certificate.go   client certificates that are still accepted
//	requirement.go   Requirement: what a route needs
//	authorize.go     what a caller may do with a game, a region, or all
//	revocation.go    Revocation: the end of a stream whose caller loses its rights
package callers
