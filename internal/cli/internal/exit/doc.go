// Package exit defines how a command ends: its exit code, and the message and hint of
// its error.
package exit
