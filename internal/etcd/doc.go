// Package etcd makes requests to one etcd cluster, with the rules that all adapters on
// etcd share. Each request has a timeout, which adapts. Reads are retried with backoff. Responses of
// another cluster are rejected. Errors of the etcd client become those of the domain.
//
//	client.go    Client and its options
//	retry.go     one attempt, retried reads, backoff
//	reserve.go   writes that a full disk accepts
//	timeout.go   timeouts that adapt to round trip and load
//	network.go   what is known about the endpoints
//	classify.go  permanent, retryable or ambiguous: the only place that knows codes
//	errors.go    domain errors, and the errors of contexts that ended
//	cluster.go   checks of cluster id and revision
//	corrupt.go   log of values that cannot be decoded
//	scan.go      reads of many keys at one revision
//	scan_stream.go  the same as a stream, for large families
//	keys.go      key prefixes, path segments and ranges
//	familycheck.go  FamilyCheck: whether the values of a family can be read
//
// Writes are not retried here. Only their caller knows whether a write may be sent a
// second time.
package etcd
