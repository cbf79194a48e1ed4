// Package regions runs an etcd cluster and daemons in several regions of one machine, with
// delays and faults between the regions. Every etcd member and every daemon is a process
// of its own, which a test may kill, suspend and restart. Or every daemon has an embedded
// member.
//
// All connections go through proxies of this package. A proxy finds the process that
// opened a connection by the owner of its socket. So it knows both regions, and treats the
// bytes of each direction as the path between them requires: it delays, holds or drops
// them. A process that is not registered, such as the test itself, counts as one in the
// region of the server.
//
// The proxy of etcd's package proxy waits for each chunk before it reads the next one. So
// chunks that are sent together arrive one delay apart. Here every chunk arrives one delay
// after it was sent.
//
//	network.go  Network: paths between regions, their delays and faults
//	path.go     path: one direction between two regions
//	proxy.go    Proxy: forwards connections to one server
//	owner.go    finds the process that owns a socket
//	process.go  process: a child process with a log
//	member.go   member: an etcd member as a process
//	cluster.go  Cluster: the members of the regions
//	daemon.go   Daemon: rtmanager serve
//	embedded.go a Cluster whose members are in daemons
//	client.go   Client: requests to the API of one daemon
package regions
