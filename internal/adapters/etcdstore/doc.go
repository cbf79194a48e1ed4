// Package etcdstore keeps runtime records on etcd.
//
// Every write is one etcd transaction that compares the revision of the record
// it was computed from and moves record, status index and ledger together.
// Because of that compare a transaction may be sent again without harm, and the
// operation id that it leaves behind tells afterwards whether it was applied.
//
// The keys are in keys.go, the stored form in codec.go, the write path in
// write.go, commit.go, group.go and resolve.go, reads in read.go and list.go, the
// watch in watch.go and upstream.go, the status index held against its records in
// index.go and vouch.go, and the proof that the store keeps its rules in check.go.
// Intents have keys of their own, which nothing watches: intents.go, intentcodec.go,
// intentwrite.go.
//
// What makes it fast can be left out. One watch (feed.go) keeps a copy of all
// records (cache.go, trees.go) and a history of recent changes (hub.go, followhub.go).
// Reads are answered from the copy (cachedread.go) once it has come as far as a
// consistent read that readers share (barrier.go), writes start from it, or from what
// was written last (ahead.go), and it is held against etcd (compare.go).
package etcdstore
