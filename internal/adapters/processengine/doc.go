// Package processengine runs games as plain local processes: the engine for a
// machine without Docker. It isolates nothing: a game is a process of the
// daemon's own user. Linux only; elsewhere Open refuses.
//
// An image NAME:VERSION is the executable IMAGES/NAME/VERSION. A container is a
// directory:
//
//	DIR/containers/ID/spec.json  what it is, written once
//	                  image      the executable as it was when the container was made
//	                  run.json   present once it was started: the port, and when
//	                  run.sh     what starts the game
//	                  alive      a pipe; see below
//	                  process    the game's first process, from /proc
//	                  exit       what that returned
//	                  log        what the game wrote, and log.1 before that
//	STATE/GAME                   the game's own directory, which outlives containers
//
// Each game has a shell of a few lines for a parent, in a session of its own, so
// that it neither dies with the daemon nor needs it to have its exit code kept.
// Shell and game inherit a descriptor of the pipe that is open for writing. The
// engine reads the pipe: as long as anything of the game lives, a read waits, and
// when the last process is gone it ends, which no pid that is used again can fake
// and which costs no polling. A daemon that was started later learns it the same way.
//
// A signal goes to a process only while the kernel holds on to it for us (a
// pidfd) and it has been seen to have the pipe open, or its parent has.
//
// A process that closes descriptor 3 is lost sight of if its parent is killed as
// well, unless it executes the image itself: those die with the last that has it open.
//
// What a power cut does to exit, process and log is not guarded against: the exit
// code is then unknown.
package processengine
