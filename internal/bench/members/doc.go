// Package members runs the members of an etcd cluster as processes of their own, for
// benchmarks: they listen on TCP ports of the loopback interface, sync their data to disk
// as etcd does by default, and keep it in a temporary directory.
//
// Start runs in the process of the benchmark and starts one process per member, in which
// Serve runs. A member reads its settings and then requests, one a line, from its standard
// input, and responds on its standard output. It ends when its standard input ends, and
// removes its directory. So it ends as well if the process of the benchmark is killed.
//
//	cluster.go   Start, and what a benchmark does with the cluster
//	process.go   one member, seen from the benchmark
//	ports.go     free TCP ports
//	serve.go     Serve: one member, in its own process
//	protocol.go  settings and requests
package members
