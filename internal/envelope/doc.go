// Package envelope encrypts secrets by envelope encryption. Each write of a secret has a random
// data key of its own, which encrypts the values with AES-256-GCM. A key-encryption key of the
// operator wraps the data key, also with AES-256-GCM. A rotation wraps the data key with another
// key-encryption key and leaves the values as they are.
//
// Additional authenticated data bind both ciphertexts to store, name, version and permitted games
// of the secret: a ciphertext with another name, version, store or other games cannot be opened.
//
// The scheme is that of Kubernetes (encryption at rest, KMS v2) and of cloud key services.
//
//	keyring.go  key-encryption keys and their text form
//	seal.go     Seal, Open and Rewrap
package envelope
