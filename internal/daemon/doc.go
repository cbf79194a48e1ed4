// Package daemon assembles one rtmanager daemon from its parts. Run starts them in this
// order, and stops them in reverse:
//
//	listener ─► etcd ─► store ─► registry of nodes ─► engine host ─► API ─► workers
//
// The engine host is the part that runs games: the directory of the node, its engine,
// and the node manager with services and workers. A daemon without an engine has none.
//
//	daemon.go            Run: starts the parts, and serves until ctx ends or a part fails
//	etcd.go              OpenEtcd: an embedded member, or clients of an external cluster
//	nodedir.go           the directory of the node
//	engine.go            openEngine: selects and opens the engine of the node
//	enginehost.go        engineHost: opens directory, engine and node manager, in this order
//	nodemanager.go       nodeManager: creates and connects services and workers
//	metrics.go           metrics of the store
//	operationmetrics.go  metrics of operations and drift
//
// A new worker is a package below workers with Run(ctx) error. newServices
// (nodemanager.go) creates it and appends Run to nodeManager.workers. A new setting is a
// field of package config; Run or newServices pass it on.
package daemon
