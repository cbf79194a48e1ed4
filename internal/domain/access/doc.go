// Package access defines authorization: the identities of callers, the roles that they are
// granted, and the tokens that prove an identity.
//
//	identity.go  Identity: a caller with a proven name, and Credentials
//	role.go      Role and Permission: what each role may do
//	scope.go     Scope: the regions and games that a grant is for
//	labels.go    Labels: what a scope requires of the labels of a game
//	grant.go     Grant: a role within a scope, and its text form
//	binding.go   Binding: the grants of one subject
//	rights.go    Rights: the union of the grants of one identity
//	policy.go    Policy: all bindings and tokens, at one revision
//	token.go     Token: a static credential; only its hash is kept
//	errors.go    the errors of rejected callers
//
// Everything is denied that no grant allows. The values are pure: package ports has the
// store of tokens and bindings, and services/auth authenticates callers.
package access
