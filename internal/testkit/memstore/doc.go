// Package memstore implements the store ports in memory. It keeps the same contracts as
// the store on etcd, including preconditions, revisions, history, fences and compaction.
// Tests of services and workers use it as their store. modeltest.Run uses it as the model
// of other stores.
//
//	store.go    Store: versions of each record, log of changes
//	read.go     reads and lists at any revision that is not compacted
//	snapshot.go ports.SnapshotReader, and the pages of lists
//	write.go    compare-and-swap writes, operation ids, ledger
//	watch.go    watches: snapshot, changes, resync
//	inspect.go  Revision, Info, Check
//	intents.go  ports.IntentStore
//	control.go  for tests: fences, deletion, compaction
package memstore
