package container

import (
	"errors"
	"io"
)

// ErrNotRunning is returned by an engine for a command in a container that does not run.
var ErrNotRunning = errors.New("the container does not run")

// Exit codes of a command that cannot be executed, as those of a shell. A command that a signal has
// ended has the code ExitSignaled plus the signal.
const (
	ExitNotExecutable = 126
	ExitNotFound      = 127
	ExitSignaled      = 128
)

// Command is a command to run in a container, with the streams of its caller.
type Command struct {
	// Args are the program and its arguments. A program without a slash is searched in the PATH of the
	// container.
	Args []string
	// Stdin is the standard input, nil for none. The engine may still be reading it after the command
	// has ended: the caller must end a Read that blocks.
	Stdin io.Reader
	// Stdout and Stderr receive the output; nil discards it. The engine does not read ahead of a Write
	// that blocks, beyond a small buffer. The two are not written concurrently with themselves.
	Stdout, Stderr io.Writer
	// HasTerminal runs the command on a terminal of its own, whose whole output goes to Stdout.
	HasTerminal bool
	// Sizes are the sizes of the terminal, the first one first; nil for the default of the engine.
	Sizes <-chan TerminalSize
}

// TerminalSize is the size of a terminal in characters.
type TerminalSize struct {
	Width  uint16 `json:"width"`
	Height uint16 `json:"height"`
}
