// Package operation is the part of the domain that says what is meant to happen
// to a game: how it is to be run, the operation that is in progress on it and how
// the latest ones ended. What a game's runtime is, package runtime says. It
// imports runtime and the standard library only.
package operation
