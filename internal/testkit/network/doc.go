// Package network runs the network between several regions of one machine, with delays and
// faults. All connections go through proxies of this package. A proxy finds the process that
// opened a connection by the owner of its socket. So it knows both regions, and treats the
// bytes of each direction as the path between them requires: it delays, holds or drops
// them, or resets the connection. A process that is not registered, such as the test itself,
// counts as one in the region of the server.
//
// The proxy of etcd's package proxy waits for each chunk before it reads the next one. So
// chunks that are sent together arrive one delay apart. Here every chunk arrives one delay
// after it was sent.
//
//	network.go   Network: regions, their processes and delays
//	faults.go    the faults of a Network
//	path.go      path: one direction between two regions
//	proxy.go     Proxy: forwards connections to one server
//	link.go      link: one connection through a Proxy
//	responses.go finds the first bytes of responses
//	owner.go     finds the process that owns a socket
package network
