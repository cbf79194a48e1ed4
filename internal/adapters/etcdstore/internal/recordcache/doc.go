// Package recordcache holds a copy of every record, and the recent changes of records, as
// one watch of etcd reports them.
//
//	cache.go           Cache: the records at one revision, and waiting for a revision
//	record.go          Record: one record as cached
//	indexes.go         Indexes: records ordered by key, status, region and node
//	label_index.go     records by their labels, and the numbers of records by attribute
//	scan.go            the smallest part of an index that contains what a filter selects
//	query.go           pages and lists from Indexes
//	snapshots.go       records at the revision of a list in progress
//	pending_writes.go  records that are newer than the watch
//	operation_history.go  operation ids of recent writes
//	event_log.go       EventLog: recent changes, for many subscribers
//	stats.go           Stats
//
// The cache alone never causes a NotFound or a Conflict: those are confirmed by a
// linearizable read of etcd, which the cache has reached, or by a compare.
//
// Only the watch changes cache and log; everything here is safe for concurrent use unless it
// is described otherwise. Nothing in this package sends a request.
package recordcache
