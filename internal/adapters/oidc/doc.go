// Package oidc verifies the bearer tokens of an OpenID Connect issuer: ID tokens, and access
// tokens that are JSON Web Tokens.
//
// The issuer's document and keys are fetched when they are first needed, and cached. While
// keys are cached, tokens are verified although the issuer is unavailable. Nothing but the
// configured issuer is ever contacted: no header or claim of a token selects an address.
//
// What a token must have, in the order of the checks:
//
//	size       at most MaxTokenBytes, and the compact form of three parts
//	algorithm  a public key algorithm: neither "none" nor HS256 and its like
//	type       a JWT or an access token, not, for example, a logout token
//	signature  of a cached key with the token's key id
//	issuer     exactly the configured one
//	audience   contains the configured one
//	times      not expired, and not from the future
//	claims     a username, and groups of valid text
//
// Files:
//
//	config.go    Config and its validation
//	verifier.go  Verifier: Verify and Run
//	token.go     the form of a token
//	claims.go    claims -> access.Identity
//	cache.go     the identities of tokens that are verified
//	keyset.go    the cached keys, and when they are fetched
//	keys.go      which keys may verify tokens
//
// Package login, below, is the client's side: it gets such a token for a user.
package oidc
