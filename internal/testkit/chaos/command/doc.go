// Package command is the program of the fault harness, for clusters that exist already.
//
//	go run ./internal/testkit/chaos/cmd/chaos --help
//
//	command.go  Main: the commands, help, exit codes
//	flags.go    the flags of run
//	plan.go     plan: what a run will do, checked against the daemons and printed before it starts
//	run.go      run: executes a plan, checks the recording, deletes the games
//	daemons.go  requests to daemons: credentials, which daemon it is
//	etcd.go     the connection to etcd, and its leader
//	faults.go   faults that are shell commands
//	games.go    deletes the games of a run
//	check.go    check and report: recordings of a directory
package command
