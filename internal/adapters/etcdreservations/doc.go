// Package etcdreservations keeps in etcd what is reserved on nodes for games that are being
// started. Each node has one key, which no lease ends:
//
//	/reservations/<region>/<node>   the games with their resources and operations, JSON
//
// Writes are compare-and-swap by revision. The key of a node remains when its last reservation
// ends: a deleted key would have the same revision before and after a game was started, and a
// writer could not detect that.
package etcdreservations
