// Package livepipe detects whether any process of a game is alive, by a named pipe.
//
// Every process of the game inherits a descriptor of the pipe that is open for writing. While
// at least one of them runs, a read of the pipe blocks; when the last one has exited, the
// read returns the end of the file. Unlike a pid this cannot be confused with a later
// process, and it needs no polling.
//
// The processes can also write to the pipe. The engine uses this for messages about the
// progress of a start.
package livepipe

import "os"

// ReadBufferSize is a sufficient buffer for one read of the messages of a game.
const ReadBufferSize = 64

// OpenReader opens the reading end of the pipe, whether or not a process has the writing end
// open.
func OpenReader(name string) (*os.File, error) { return openReader(name) }

// OpenHolder opens the pipe for writing, to be inherited by a game. It is also open for
// reading, so that a write of the game never fails because there is no reader.
func OpenHolder(name string) (*os.File, error) { return os.OpenFile(name, os.O_RDWR, 0) }
