// Package config defines the settings of the daemon: their defaults, their flags,
// environment variables and names in a YAML file, and the rules for their values.
//
//	config.go         Config and its defaults
//	nodemanager.go    NodeManager: the part of Config for a daemon that runs games
//	security.go       Security: the part of Config for TLS and authentication
//	oidc.go           OIDC: the part of Config for an OpenID Connect issuer
//	secrets.go        Secrets: the part of Config for the keys of secrets
//	audit.go          Audit: the part of Config for the audit log
//	archive.go        Archive: the part of Config for the archive of deleted games
//	backup.go         Backup: the part of Config for backups that the daemon makes by itself
//	limits.go         Limits: the part of Config that bounds callers
//	etcdlisten.go     EtcdListen: the part of Config for the listeners of the embedded etcd
//	cluster.go        Cluster: the part of Config for a cluster of embedded members
//	certs.go          Certs: the part of Config for a directory of certificates
//	federation.go     the other stores, and the rules for their URLs
//	load.go           Bind declares the flags; Loader reads flags, environment and file
//	file.go           the YAML file
//	validate.go       Validate
//	validate_etcd.go  the rules for the etcd settings
//	example.go        WriteExample: the generated example file
//
// A new setting is a field of Config, or of the part of Config that it belongs to. Its comment
// has the unit, the default and the meaning of zero. Default sets its default, Bind declares its flag, and Validate
// checks it. Names in the environment and in the file follow from the flag. Package daemon
// passes the setting on. Run go generate afterwards.
package config
