// Package recordcache holds a copy of every record, and the recent changes of records, as
// one watch of etcd reports them.
//
//	cache.go           Cache: the records at one revision, and waiting for a revision
//	record.go          Record: one record as cached
//	indexes.go         Indexes: records ordered by key, status, region and node
//	query.go           pages and lists from Indexes
//	pending_writes.go  PendingWrites: records that are newer than the watch
//	event_log.go       EventLog: recent changes, for many subscribers
//	stats.go           Stats
//
// The cache never causes a NotFound or a Conflict: those are confirmed by a linearizable
// read of etcd or by a compare.
//
// Only the watch changes cache and log; everything here is safe for concurrent use unless it
// is described otherwise. Nothing in this package sends a request.
package recordcache
