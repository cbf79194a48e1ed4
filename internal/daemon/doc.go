// Package daemon assembles one rtmanager daemon from its parts. Run starts them in this
// order, and stops them in reverse:
//
//	listener ─► etcd ─► store ─► secrets ─► audit log ─► registry of nodes ─► engine host
//	─► access control ─► API ─► workers
//
// The engine host is the part that runs games: the directory of the node, its engine,
// and the node manager with services and workers. A daemon without an engine has none.
//
//	daemon.go            Run: starts the parts, and serves until ctx ends or a part fails
//	server.go            newServer: the API with what it uses
//	listener.go          the listener of the API, which detects lost peers
//	openfiles.go         limits of the API that follow from the limit of open files
//	system_linux.go      calls of the operating system, with system_other.go
//	starting.go          the API of a daemon whose member waits for its cluster
//	etcd.go              OpenEtcd: an embedded member, or clients of an external cluster
//	member.go            the embedded member: its settings, its start, advice for its errors
//	etcdinspector.go     the inspector of the etcd members, and the certificates in use
//	nodedir.go           the directory of the node
//	selectnodedir.go     which directory: it rejects games of a node of another name
//	nodename.go          the file with the name of a renamed node
//	engine.go            openEngine: selects and opens the engine of the node
//	secrets.go           openSecrets: the service of secrets and its keys
//	enginehost.go        engineHost: opens directory, engine and node manager, in this order
//	rename.go            resolveName: --rename-from, and containers of other nodes in Docker
//	renamegames.go       the new name in records and operations
//	nodemanager.go       nodeManager: creates and connects services and workers
//	tls.go               certificates of the API and of requests to other daemons, with tlsmetrics.go
//	access.go            accessControl: identities, tokens and roles, with oidcmetrics.go
//	audit.go             the audit log, with auditmetrics.go
//	archive.go           the archive of deleted games, with its metrics
//	federation.go        the client of the other stores, and their metrics
//	metrics.go           the registry, and metrics of the store
//	endpointmetrics.go   metrics of the endpoints of etcd
//	operationmetrics.go  metrics of operations and drift
//	newstore.go          no empty store in the place of a store that games belong to
//	bootstrap.go         BootstrapEtcd: a user of etcd, for a command
//	backup.go            the scheduled backups and their metrics
//	snapshot.go          SaveBackup and Restore, for commands
//	backupview.go        BackupView: the API of a store in a backup, for reads
//
// A new worker is a package below workers with Run(ctx) error. newServices
// (nodemanager.go) creates it and appends Run to nodeManager.workers. A new setting is a
// field of package config; Run or newServices pass it on.
package daemon
