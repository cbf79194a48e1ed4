// Package shim is the parent process of a game. It is the program itself, executed under the
// name in Name, as runc and the Docker daemon execute themselves: see opencontainers/runc
// (libcontainer/nsenter) and moby/sys (reexec).
//
// The shim outlives the daemon. It is a child subreaper: a process of the game that loses its
// parent, for example a daemon that forks twice, becomes a child of the shim, in any
// session. The shim exits after all processes of the game, so its exit proves that none
// lives. It stores the exit code, and copies the output of the game to the log, which it
// bounds.
//
// The shim runs in the init function of this package, which the Go runtime calls before those
// of most other packages. It then has about 1 MB of memory of its own instead of that of the
// whole daemon. For the same reason the package imports only small packages.
//
//	shim.go            Command and its arguments
//	main_linux.go      the main function of the shim
//	children_linux.go  the processes of the game: start, wait, exit code
//	environment.go     the file with the variables of a game that has secrets
//	exec_linux.go      the program that executes such a game
//	command.go, command_linux.go  the parent of a command that an operator runs with a game
package shim
