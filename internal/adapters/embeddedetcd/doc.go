// Package embeddedetcd runs one etcd member inside this process, on a data directory
// that no second process can open, with settings for production. The daemon uses it if
// no external etcd is configured. A new setting of etcd belongs in config.go and
// etcdconfig.go; TestEtcdConfig asserts the values that operators rely on.
//
//	member.go         Member: start, client, failure, close
//	config.go         Config: settings, defaults, validation
//	errors.go         ConfigError: a setting that Start cannot use
//	datadir.go        the data directory: lock, cluster.json, layout
//	verify.go         check of the log and the database before etcd opens them
//	loglock_*.go      wait for the locks of the log before etcd opens it
//	fatal.go          errors instead of the end of the process, and the size of log files
//	diskguard.go      read-only operation on a full disk, and space allocated ahead
//	guardedkv.go      the KV service that rejects requests without a leader, and writes on a full disk
//	restore.go        a data directory from a snapshot
//	restoremembers.go members for an external etcd, and what a snapshot contains
//	bootstrap.go      removal of the data of an incomplete first start
//	listen.go         the rules for listen URLs
//	socket.go         unix sockets to listen on
//	addresses.go      the addresses that etcd listens on, with real ports for port 0
//	etcdconfig.go     the configuration of etcd itself
//	inprocess.go      a client that calls the server without a network
//	gate.go           the end of all calls before etcd closes its database
//	cluster.go        members of clusters: settings, and their part of cluster.json
//	clusterstart.go   what precedes the start of such a member: a new cluster, a join, or checks
//	clusterjoin.go    a join: this member becomes a learner of a running cluster
//	clustercheck.go   the directory is that of this member, and no other process runs it
//	clusterinit.go    no new cluster in the place of a member of another one
//	clusterclient.go  requests to other members
//	clusterloop.go    what a running member of a cluster keeps current
//	leaderwatch.go    the loss of the leader, and which members do not respond
//	streams.go        an interceptor that ends client streams at close
package embeddedetcd
