// Package issuer fetches the documents of an OpenID Connect issuer: its discovery document
// and its keys.
//
// A client contacts only the issuer's own URL and the endpoints that the issuer's document
// names, by https, or by http on a loopback host. It follows no redirect, and bounds time and
// size of each response. Errors have no part of a response's body.
package issuer
