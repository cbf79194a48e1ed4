// Package tlsfiles reads certificates, keys and authorities for TLS from files, and replaces
// them when the files change.
//
// The files are read when they are used, and at most once a second. A new content that
// cannot be used, such as a file that is still being written, leaves the previous content in
// use. The error is logged once, and State shows it until a later content can be used.
//
//	keypair.go  KeyPair: a certificate and its key
//	pool.go     Pool: the certificates of authorities
//	source.go   when files are read, and what happens after an error
//	config.go   TLS settings of servers and clients
package tlsfiles
