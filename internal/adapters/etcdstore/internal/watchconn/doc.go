// Package watchconn opens watches of etcd on one prefix that detect their own failure.
//
// etcd does not report every failure of a watch: its leader check does not exist on the
// in-process client, and a server that is gone reports nothing anywhere. A Conn therefore
// requests a progress notification when it has been idle, and fails if none follows.
//
//	source.go     Source: what is watched, and on which cluster
//	conn.go       Conn: one watch, its buffer and its liveness check
//	reconnect.go  Reconnect: backoff and idle timeout, carried from one Conn to the next
package watchconn
