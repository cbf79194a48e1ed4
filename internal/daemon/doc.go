// Package daemon assembles one rtmanager daemon from its parts. Run starts them in this
// order, and stops them in reverse:
//
//	listener ─► etcd ─► store ─► registry of nodes ─► engine host ─► API ─► workers
//
// The engine host is the part that runs games: the directory of the node, its engine,
// and the node manager with services and workers. A daemon without an engine has none.
//
//	daemon.go            Run, and how the daemon serves until a part fails
//	etcd.go              the etcd: an embedded member, or clients of an external cluster
//	nodedir.go           the directory of the node
//	engine.go            which engine runs the games of the node
//	enginehost.go        engineHost
//	nodemanager.go       nodeManager: wiring of services and workers
//	metrics.go           metrics of the store
//	operationmetrics.go  metrics of operations and drift
package daemon
