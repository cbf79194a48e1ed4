// Package clientconfig keeps the contexts of the command line: named daemons and the
// credentials for each.
//
//	context.go  Context, File, and their validation
//	login.go    Login: tokens of an identity provider
//	store.go    Store: the file, its modes and its lock
//	token.go    TokenFile, and the form of a token
//	resolve.go  Resolve: flags, environment and a context become one connection
//
// The file contains tokens. A file that other users can read or replace is rejected, as ssh
// rejects such a key.
package clientconfig
