// Package exit defines the exit codes of commands, and prints the message and the hint of
// an error.
package exit
