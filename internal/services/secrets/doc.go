// Package secrets keeps secrets: it encrypts values before they reach the store, decrypts them
// for games and operators, and rotates key-encryption keys.
//
//	service.go   Service, and Put
//	read.go      Get, Reveal, List
//	encrypt.go   values to and from ciphertexts
//	delete.go    Delete, and the search for games that reference a secret
//	rotate.go    Rotate
//	resolve.go   the variables of a game, and the credentials of a registry
//	redact.go    an engine whose logs contain no values
//	keys.go      the cached keyring
package secrets
