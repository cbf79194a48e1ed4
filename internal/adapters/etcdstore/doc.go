// Package etcdstore keeps runtime records and intents in etcd.
//
// # Writes
//
// Every write is one etcd transaction. It compares the revision of the record that it was
// computed from, and writes record, status index and ledger entry together. The path of one
// write:
//
//	update.go      Put, Transition  a mutation: precondition and new record, pure functions
//	               compareAndSwap   bases the mutation on the cached record, or on a read
//	record_txn.go  newRecordTxn     compares, puts, and the reads of a failed compare
//	guard.go             guards of writes by hand against operations
//	condition.go         SetCondition: a write of the record alone
//	epoch.go             what makes an absent game a state that does not return
//	cas.go         commit           sends until the outcome is known
//	batcher        Send             alone, or with the writes of other games in one request
//
// Because of its compares a transaction can be sent a second time: at most one try is applied.
// The operation id that it leaves in record and ledger proves whether one was, after a try whose
// response was lost (ambiguity.go). cas.go is the only place that decides this, for records and
// for intents (intent_txn.go).
//
// # Reads
//
// A reflector (reflector.go) lists all records and watches them into a cache and an event log.
// A linearizable read gets etcd's revision from a read that it shares with other readers, waits
// until the cache has reached that revision, and reads the cache (cached_read.go). If the cache
// is not usable, get.go, list.go and watch.go read from etcd. A periodic check compares the
// cache with etcd (consistency.go).
//
// # Files
//
//	options.go store.go identity.go              Open, Close, the identity in /meta/schema
//	get.go list.go state.go cached_read.go       reads
//	snapshot.go                                  records of the cache, shared with callers
//	update.go record_txn.go ambiguity.go cas.go  writes
//	guard.go                                     guards of writes by hand against operations
//	delete.go delete_txn.go epoch.go             deletions, and what inserts compare of them
//	intents.go intent_txn.go                     intents, which no cache follows
//	known_intents.go await_intent.go             the latest ones of this store; waits for a change
//	watch.go watch_snapshot.go watch_cached.go   streams: start and resync, from the event log
//	watch_decode.go watch_send.go                or from etcd; events; filter and bookmarks
//	reflector.go consistency.go                  what feeds and checks the cache
//	inspect.go members.go stats.go               Info, Check, CacheStats
//	restored.go                                  the stores of a backup, and what a restore changes
//
//	internal/layout       keys, stored forms and the rules between them
//	internal/batcher      several writes in one request (group commit)
//	internal/recordcache  records by key, status, region and node; pending writes; event log
//	internal/readindex    one linearizable read for many readers
//	internal/watchconn    one etcd watch that detects its own failure
//	internal/fsck         check and repair of all keys
package etcdstore
