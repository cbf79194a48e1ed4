// Package runtime is the domain: what a game's runtime record says, which
// status may follow which, and the errors every layer above agrees on. It
// knows nothing of etcd, HTTP or Docker and imports the standard library only.
package runtime
