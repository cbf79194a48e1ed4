// Package cli is the command line of rtmanager: one command per file, most of them
// requests to a daemon by the REST client, and serve, which runs a daemon. Results are
// printed to standard output, messages to standard error, and the exit code is stable for
// scripts.
//
// Files:
//
//	cli.go             Main, Streams, the root command, checks that all commands share
//	globals.go         flags of all commands; connections to the daemon
//	help.go            the help command and the exit-codes topic
//	completion.go      shell completion
//	serve.go           the daemon; advice.go names the setting behind its errors
//	bench.go           the benchmark
//	list, get, history, watch, explain, nodes, version, fsck: read the store
//	put, setstatus:    write records
//	operate.go         what the lifecycle commands share
//	operations.go      stop, restart, cleanup, patch
//	start.go           start
//	drift, driftapply: show and apply drift findings, release brakes
//
// Packages below internal:
//
//	flags     groups of flags that several commands share
//	manifest  YAML and JSON files of -f
//	output    results as tables, text, JSON and YAML
//	progress  progress of operations and benchmarks
//	exit      exit codes, error messages and hints
//	render    cells, tables and encoders
package cli
