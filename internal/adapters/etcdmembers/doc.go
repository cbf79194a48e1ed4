// Package etcdmembers keeps the present nodes and the leaders in etcd. Each node has one
// key, each leadership has one key, and all keys of one daemon are bound to one lease:
//
//	/nodes/<region>/<node>   node.Node as JSON
//	/leaders/<scope>         the leader of the scope as JSON
//
// A third family is bound to no lease, so that an operator sees which nodes are missing:
//
//	/known-nodes/<region>/<node>   the node as of its latest join, and when it stopped as
//	                               planned or its loss was detected
//
// A fourth family has the settings that operators give nodes and regions, without a lease:
//
//	/node-settings/<region>/<node>   node.Settings as JSON
//	/node-settings/<region>          node.RegionSettings as JSON
//
// Files:
//
//	registry.go    Registry: lists nodes, reads leaders
//	overview.go    the overview of present and absent nodes, the known nodes
//	settings.go    the settings of nodes and regions; settings_watch.go follows them
//	alive.go       IsAlive: whether the daemon of a present node runs
//	endsession.go  EndSession of a dead daemon, for a rename
//	join.go        Join, JoinAsync: create the key of this node
//	membership.go  Membership: keeps the session of this node alive, rejoins
//	hedge.go       requests that are repeated on another endpoint before they time out
//	session.go     session: one lease with its trust window
//	election.go    Lead: campaign, lead, resign
//	restored.go    RemovePresence from a copy that is restored
//	verify.go      checks the keys of the session with each renewal
//	keys.go        the key layout
//	codec.go       the stored values
//	errors.go      the end of a session, translation of errors of etcd
//
// # Trust window
//
// A lease alone is no proof of presence: a daemon that was suspended does not know that
// its lease has expired. So two mechanisms protect each write:
//
//   - The session and each leadership is a fence: a key and its create revision. The
//     store compares it in the transaction of every write.
//
//   - A daemon stops trusting its lease before etcd ends it:
//
//     trustedUntil = send time of the last successful renewal + 4/5 of the TTL
//
// All times are of the monotonic clock. A renewal is one call of KeepAliveOnce. The
// stream of KeepAlive does not report when it sent the request of a response.
//
// # Members that hang
//
// Each request is idempotent and hedged: without a response it is sent to another endpoint
// after a short delay, and so on until the trust ends. A member that hangs, is partitioned
// or is a learner costs one delay, neither presence nor leadership. No attempt is canceled
// because it is slow, so a long round trip is no failure.
//
// A response of another etcd cluster ends the session at once: leases and create revisions
// of a rebuilt cluster prove nothing.
//
// # Election
//
// A leadership is a key that only one candidate can create. A campaign creates it in a
// transaction that requires the key of the session.
//
// Package concurrency of etcd keeps a key for each candidate instead. A candidate whose
// response was lost leaves its key behind. A campaign whose lease expired returns without
// a leadership, or never. Here the check with the next renewal (verify.go) finds a key
// that a lost response left behind, and deletes it.
package etcdmembers
