// Package securitycheck lists what is weak about the settings of a daemon and the files that
// they name. It starts nothing and connects to nothing.
//
//	check.go         Run, and the order of the checks
//	api.go           the address, authentication, certificates and limits of the API
//	oidc.go          the issuer of tokens
//	etcd.go          the connection to etcd, and the embedded member
//	files.go         secrets, audit log and data directory
//	engine.go        the user of the daemon, the engine, and the socket of Docker
//	certificates.go  certificates, keys and authorities of any setting
package securitycheck
