// Package login gets tokens of an OpenID Connect issuer for a user at a terminal, by the
// device authorization flow (RFC 8628): the user opens a URL on any device and enters a code,
// while the client polls the issuer.
//
//	client.go  Client and its errors
//	device.go  Login: the device authorization flow
//	tokens.go  Refresh, Revoke, and the tokens of a response
package login
