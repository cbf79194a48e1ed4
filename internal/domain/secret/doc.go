// Package secret defines secrets: named sets of environment variables whose values are
// stored encrypted. It has the rules of their names and values, the stored form, and errors.
//
// A plain name belongs to the operator, and the games that its patterns permit may reference it. Two kinds of names are
// reserved: "game.GAME_ID" has the variables of one game and is deleted with it, and
// "registry.HOST" has the credentials of an image registry, which no game may reference.
//
//	name.go     names and references
//	games.go    the games that may use a secret, and PutInput
//	value.go    Value, which no printer or encoder reveals, and Values
//	redact.go   removes values from a text
//	stored.go   Metadata and Encrypted, which a store keeps
//	version.go  Version, which identifies the values that a container was created with
//	errors.go   errors
package secret
