//go:build !unix

package keysource

import "os/exec"

// killGroup does nothing: the end of the context kills the shell only.
func killGroup(*exec.Cmd) {}
