// Package limit bounds what one caller can use of the server: requests per second,
// concurrent requests, open streams and failed authentications.
//
//	limiter.go     Limiter: rate, concurrency and streams by caller
//	failures.go    Failures: failed authentications by address
//	table.go       the bounded table of callers that both use
//	rejections.go  RejectionCounter: metric and log of rejected requests
//
// A caller is a proven identity, or a network for a caller without one. A table keeps the
// callers that were seen last. A caller that is evicted starts from full buckets, which
// matters only to a client with more addresses than the table has entries.
package limit
