// Package etcdmembers keeps on etcd who is there and who leads: a presence per node
// and a key per leadership, all of one daemon on one lease.
//
//	/nodes/<region>/<node>   the presence, a ports.Node as JSON
//	/leaders/<scope>         who leads the scope
//
// A lease alone proves nothing: a daemon that was held up goes on in the belief
// that it has one. So each presence and each leadership is a fence, the key and
// the revision that created it, which the store compares inside every write; and a
// daemon stops trusting its lease before etcd ends it, counted from before the last
// renewal was sent, on the monotonic clock. A renewal is one call that is waited for, not
// etcd's stream of them, which does not tell when it sent what it has an answer to.
//
// The election is a key that only one can create. That of etcd's concurrency
// package keeps a key per candidate instead, which outlives a candidate that gives up
// unheard, and it comes back from its campaign without leadership when its lease has
// gone meanwhile, or never. Here a campaign creates the key only while the
// presence stands, in the same transaction, and whatever a lost answer leaves behind is
// found by the next renewal and taken away (sweep.go).
package etcdmembers
