// Package recordcache holds a copy of every record, and the recent changes of records, as
// one watch of etcd reports them.
//
//	cache.go           Cache: the records at one revision, and waiting for a revision
//	record.go          Record: one record as cached
//	indexes.go         Indexes: records by key, and by attribute
//	attributes.go      the records with a status, region, node or label
//	place_tree.go      an ordered set of keys, which clones share until it changes
//	record_slots.go    the records themselves, which clones share in the same way
//	slot_hints.go      a fast way to the record of a key
//	scan.go            the smallest part of an index that contains what a filter selects
//	query.go           pages and lists from Indexes
//	clone_slab.go      copies of records for callers
//	snapshots.go       records at the revision of a list in progress
//	pending_writes.go  records that are newer than the watch
//	local_write.go     writes of this process, which the watch need not decode
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
