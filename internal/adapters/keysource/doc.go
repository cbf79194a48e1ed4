// Package keysource reads the key-encryption keys of secrets, from a private file or from the
// output of a command. It does not interpret them. No error contains output of the command or
// content of the file.
package keysource
