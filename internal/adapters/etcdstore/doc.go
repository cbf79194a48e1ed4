// Package etcdstore keeps runtime records on etcd.
//
// Every write is one etcd transaction that compares the revision of the record
// it was computed from and moves record, status index and ledger together.
// Because of that compare a transaction may be sent again without harm, and the
// operation id that it leaves behind tells afterwards whether it was applied.
//
// The keys are in keys.go, the stored form in codec.go, the write path in
// write.go, commit.go and resolve.go, reads in read.go and list.go, the watch in
// watch.go and upstream.go, the status index held against its records in index.go
// and vouch.go, and the proof that the store keeps its rules in check.go.
package etcdstore
