// Package processengine runs games as local processes: the engine for a machine without
// Docker. It provides no isolation: a game is a process of the daemon's user. Linux only; on
// other systems Open returns an error.
//
// An image NAME:VERSION is the executable IMAGES/NAME/VERSION. A container is a directory:
//
//	DIR/containers/ID/spec.json  the spec; written once
//	                  image      the executable as it was when the container was created
//	                  run.json   the ports and the control groups; exists after the first start
//	                  run.sh     the command that starts the game; without variables if it has secrets
//	                  alive      a named pipe; the shim has it open
//	                  output     a named pipe; the game writes its output to it
//	                  process    /proc/PID/stat of the game's first process; its parent is the shim
//	                  exit       the exit code of that process
//	                  stop.json  the latest stop: its grace, and whether it had to kill
//	                  result.json  written after the last process has exited
//	                  log        the output of the game; log.1 is earlier output
//	STATE/GAME                   the state directory of the game; outlives containers
//
// These names and contents are stable. Scripts of operators read them, and an engine reads the
// containers of earlier versions. For example, the first word of process is the pid of the
// game.
//
// # Containment
//
// The parent of each game is a shim (internal/shim) in a session of its own. The game
// therefore does not die with the daemon, and the shim records the exit code also while no
// daemon runs. The shim is a child subreaper: all processes of the game remain its
// descendants, and it exits after them. It has the pipe alive open, and the engine reads
// the pipe: the end of the file means that the shim has exited. Unlike a pid this cannot be
// confused with a later process, and it needs no polling. A daemon that starts later reads the
// same pipe.
//
// The game also has control groups (internal/cgroups) where the machine permits them. They
// contain its processes also if the shim was killed, and they limit memory and CPUs. Without
// control groups and shim, the engine searches processes by the variable
// RTMANAGER_CONTAINER_ID and by their executable. It then does the work of the shim: it copies the
// output to the log, and searches until no process is left.
//
// When the first process exits with code 0, the others continue to run: it was a launcher. After
// another code, the engine sends them SIGTERM, and SIGKILL two seconds later. A stop sends
// the stop signal of the spec, SIGTERM by default, to all processes and waits for all of them.
//
// The engine opens a handle of a process (a pidfd) before it sends a signal; the handle
// prevents the reuse of the pid. It then verifies that the process is still one of the game.
//
// # Secrets
//
// The values of secrets are resolved at each start, and never written to disk. The daemon
// passes all variables of a game with secrets to the shim as an anonymous file in memory. The
// program itself, executed under another name, reads it and executes the game: so the values are
// in no argument of any process. They are in the environment of the game, which only its user
// and root can read (/proc/PID/environ).
//
// # Commands
//
// Exec runs the command of an operator below a parent of its own (internal/shim), in the control groups of
// the game. The parent is a child subreaper that kills all processes of the command when its pipe ends:
// the engine closes that at the end of the call and after the shim of the game has exited, and the kernel
// when the daemon exits. A command therefore never counts as a process of the game when the run ends.
//
// # Limits
//
// If the shim is killed, the exit code is unknown. Without control groups, the engine then no
// longer detects a process that has replaced its environment and lost its parent.
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
//	start.go        Start; environment.go: the variables
//	assign.go       ports of players, which a new container gets
//	port.go         ports of starting games: reservation and checks
//	stop.go         Stop; remove.go: Remove
//	run.go          one run of a game: from start to exit
//	members.go      the processes of a game, also without a shim
//	lastrun.go      the result of the latest run
//	recovery.go     containers of earlier engines
//	exec.go         Exec: commands of operators
//	inspect.go      Inspect, List; logs.go, streamlogs.go: Logs, StreamLogs; events.go: Events
//	internal/shim       the parent process of a game
//	internal/cgroups    control groups
//	internal/livepipe   the named pipe
//	internal/procfs     processes, by /proc and pidfd
//	internal/gamelog    the log file of a game
//
// # Where to add a feature
//
//	a field of container.Spec     spec.go: store it in spec, or reject it in validateSpec
//	a limit, such as of processes internal/cgroups; validateSpec, which rejects limits
//	another kind of port          assign.go and port.go; runConfig in spec.go, environment.go,
//	                              and endpoint in container.go
//	a variable of all games       environment.go
//	a setting of the log          config.go, internal/gamelog
//	a sentence of the contract    ports.Engine and testkit/enginetest, then all engines
package processengine
