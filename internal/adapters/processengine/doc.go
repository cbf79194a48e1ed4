// Package processengine runs games as local processes: the engine for a machine without
// Docker. It provides no isolation: a game is a process of the daemon's user. Linux only; on
// other systems Open returns an error.
//
// An image NAME:VERSION is the executable IMAGES/NAME/VERSION. A container is a directory:
//
//	DIR/containers/ID/spec.json  the spec; written once
//	                  image      the executable as it was when the container was created
//	                  run.json   the port; exists after the first start
//	                  run.sh     the command that starts the game
//	                  alive      a named pipe; see below
//	                  process    /proc/PID/stat of the game's first process
//	                  exit       the exit code of that process
//	                  log        the output of the game; log.1 is earlier output
//	STATE/GAME                   the state directory of the game; outlives containers
//
// # Liveness
//
// The parent of each game is a shell script of a few lines in a session of its own. The game
// therefore does not die with the daemon, and the script records the exit code also while no
// daemon runs.
//
// Script and game inherit a descriptor of the pipe that is open for writing, and the engine
// reads the pipe. While any process of the game lives, the read blocks; when the last one has
// exited, the read returns the end of the file. Unlike a pid this cannot be confused with a
// later process, and it needs no polling. A daemon that starts later reads the same pipe.
//
// The engine sends a signal to a process only while it has a handle of the process (a pidfd),
// which prevents the reuse of the pid, and only after it has verified that the process or its
// parent has the pipe open.
//
// # Limits
//
// A game process that closes descriptor 3 is no longer detected if its parent script is
// killed, too. Exception: processes that execute the image itself are killed with the last
// process that has the pipe open.
//
// The files exit, process and log are not synced to disk. After a power failure the exit code
// can be unknown.
//
// # Files
//
//	engine.go       Engine: open, close, the index of containers
//	config.go       Config: settings, defaults, validation
//	container.go    one container: its state in memory
//	create.go       Create; spec.go: spec.json and validation; image.go: EnsureImage
//	start.go        Start; scripts.go: the shell scripts; environment.go: the variables
//	port.go         ports of games: reservation and checks
//	stop.go         Stop; remove.go: Remove
//	run.go          one run of a game: from start to exit
//	lastrun.go      the result of a run that has ended
//	recovery.go     containers of earlier engines
//	inspect.go      Inspect, List; logs.go: Logs; events.go: Events
//	internal/livepipe   the named pipe
//	internal/procfs     processes, by /proc and pidfd
//	internal/gamelog    the log file of a game
package processengine
