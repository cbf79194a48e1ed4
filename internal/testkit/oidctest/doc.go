// Package oidctest is an OpenID Connect issuer for tests: a real HTTP or HTTPS server with
// discovery, keys, and the device authorization flow (RFC 8628).
//
//	issuer := oidctest.New(t)
//	token := issuer.Token(oidctest.Claims{"sub": "ada", "aud": "rtmanager"})
//
// A test can rotate the keys, sign with other keys and algorithms, let a path fail, and act
// as the user that approves a device. It is for tests only.
package oidctest
