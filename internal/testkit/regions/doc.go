// Package regions runs an etcd cluster and daemons in several regions of one machine, with
// delays and faults between the regions. Every etcd member and every daemon is a process
// of its own, which a test may kill, suspend and restart. Or every daemon has an embedded
// member.
//
// The package network runs the network between them.
//
//	process.go  process: a child process with a log
//	member.go   member: an etcd member as a process
//	cluster.go  Cluster: the members of the regions
//	daemon.go   Daemon: rtmanager serve
//	embedded.go a Cluster whose members are in daemons
//	client.go   Client: requests to the API of one daemon
package regions
