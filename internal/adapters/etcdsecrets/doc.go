// Package etcdsecrets keeps encrypted secrets in etcd, one key each:
//
//	/secrets/<name>   the secret, JSON
//
// Writes are compare-and-swap by revision. This package knows no keys: it stores ciphertexts.
//
//	store.go  Store
//	write.go  writes, and how an ambiguous one is resolved
//	codec.go  the stored form
package etcdsecrets
