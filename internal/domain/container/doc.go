// Package container holds the domain types of containers: a container with its labels
// and state, the events of an engine, and the errors that an engine returns.
package container
