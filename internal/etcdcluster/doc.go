// Package etcdcluster reads and changes the membership of an etcd cluster. It needs nothing but
// a client, so it serves embedded members and an external etcd.
//
//	cluster.go   Member, List
//	join.go      a new member: its entry as a learner, its promotion
//	timing.go    heartbeat interval and election timeout, equal on all members
//	identity.go  what the members of an embedded cluster have in common
//	errors.go    why a member cannot join, and classes of errors
//	members.go   Inspector: what each member reports, also without a quorum
//	probe.go     the requests to single members
//	remove.go    the removal of a member
package etcdcluster
