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
// These names and contents are stable. Scripts of operators read them, and an engine reads the
// containers of earlier versions. For example, the first word of process is the pid of the
// game.
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
// The engine opens a handle of a process (a pidfd) before it sends a signal; the handle
// prevents the reuse of the pid. It then verifies that the process or its parent has the pipe
// open. It sends no signal to any other process.
//
// # Limits
//
// If the parent script is killed, the engine no longer detects a process of the game that has
// closed descriptor 3. Exception: when the last process with the pipe open has exited, the
// engine kills all processes that execute the image of the container.
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
//	lastrun.go      the result of the latest run
//	recovery.go     containers of earlier engines
//	inspect.go      Inspect, List; logs.go: Logs; events.go: Events
//	internal/livepipe   the named pipe
//	internal/procfs     processes, by /proc and pidfd
//	internal/gamelog    the log file of a game
//
// # Where to add a feature
//
//	a field of container.Spec     spec.go: store it in spec, or reject it in validateSpec
//	a limit of CPUs or memory     validateSpec, which rejects limits; startParent in start.go
//	a second port, or UDP         port.go, which reserves one TCP port per game; runConfig in
//	                              spec.go, environment.go, and endpoint in container.go
//	a variable of all games       environment.go
//	a setting of the log          config.go, internal/gamelog
//	a sentence of the contract    ports.Engine and testkit/enginetest, then all engines
package processengine
