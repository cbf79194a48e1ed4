// Package embeddedetcd runs one etcd member inside this process, on a data directory
// that no second process can open, with settings for production. The daemon uses it if
// no external etcd is configured. A new setting of etcd belongs in config.go and
// etcdconfig.go; TestEtcdConfig asserts the values that operators rely on.
//
//	member.go       Member: start, client, failure, close
//	config.go       Config: settings, defaults, validation
//	errors.go       ConfigError: a setting that Start cannot use
//	datadir.go      the data directory: lock, cluster.json, layout
//	bootstrap.go    removal of the data of an incomplete first start
//	addresses.go    the addresses that etcd listens on, with real ports for port 0
//	etcdconfig.go   the configuration of etcd itself
//	inprocess.go    a client that calls the server without a network
//	streams.go      an interceptor that ends client streams at close
package embeddedetcd
