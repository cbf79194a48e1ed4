// Package peer is the HTTP client with which one daemon calls another. Client implements
// the Peer port of services/cluster with typed calls (calls.go, and execute.go for operations). It also forwards the HTTP
// request of an operation to the node that executes it (forward.go).
//
// Every request carries the header Rtmanager-Forwarded, so that the other daemon does
// not forward it. Addresses come from the node registry only; redirects and the
// environment's proxies are not used. With TLS, each node is verified by its own name
// (transport.go).
package peer
