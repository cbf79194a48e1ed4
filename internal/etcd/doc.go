// Package etcd makes requests to one etcd cluster as every adapter on etcd needs
// them: each request has a timeout, reads are retried with backoff, responses of
// another cluster are rejected, and errors of the etcd client become those of the
// domain.
//
//	client.go    Client and its options
//	retry.go     one try, retried reads, backoff
//	classify.go  permanent, retryable or ambiguous: the only place that knows codes
//	errors.go    domain errors, and the errors of contexts that ended
//	cluster.go   checks of cluster id and revision
//	scan.go      reads of many keys at one revision
//	path.go      key prefixes and path segments
//
// Writes are not retried here. Only their caller knows whether sending a write a
// second time is safe.
package etcd
