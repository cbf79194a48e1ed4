// Package container holds what an engine runs for a game: a container, its
// labels and state, the events of an engine, and the errors that an engine returns.
package container
