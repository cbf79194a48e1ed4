// Package auth authenticates the callers of the API and returns their rights.
//
//	service.go       Service and its settings
//	authenticate.go  the identity that certificates, tokens and identity providers prove
//	refresh.go       the policy, read from the store whenever it has changed
//	rights.go        the rights of an identity by the policy
//	admin.go         changes of tokens and roles
//	uses.go          when tokens were last used
//
// Every daemon keeps the whole policy in memory, so a request is authorized without a call to
// the store. A change is in effect at the daemon that makes it at once, and at the others
// after Config.RefreshInterval. While the store does not respond, the last policy stays in
// effect for Config.MaxStaleness; after that only daemons are served.
package auth
