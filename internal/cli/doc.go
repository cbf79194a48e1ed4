// Package cli is the command line of rtmanager. Most commands are requests to a daemon by
// package httpclient; serve runs a daemon. Commands print
// results to standard output and messages to standard error. The exit codes are stable for
// scripts.
//
// Each command has a file of its name. Exceptions and shared files:
//
//	cli.go                Main, Streams, the root command, checks that all commands share
//	globals.go            flags of all commands; connections to the daemon
//	connection.go         which daemons, and with which credentials; serverlist.go their URLs
//	follow.go             list and get with --watch
//	suggest.go            commands that an unknown name may mean
//	help.go               the help command and the exit-codes topic
//	operation_command.go  flags and execution that the operation commands share
//	bulk.go               a command for several games: results, summary
//	selected.go           games of arguments and filters: confirmation, dry run
//	apply.go, diff.go     games that files describe; apply_prune.go removes games that no file contains
//	operations.go         stop, restart, cleanup, patch (start has its own file)
//	drift.go              drift findings; drift_apply.go applies them and releases brakes
//	secret.go             secrets: set; secret_manage.go, secret_key.go, secret_registry.go the others
//	cluster.go            the commands of package clustercmd
//	context.go            contexts; context_change.go sets, selects and deletes them
//	login.go              login and logout; loginsource.go refreshes a login
//	game.go               the commands of packages of their own, and what they use
//	usage.go              error texts of flags and of failed commands
//	reference.go          the root command for the generated reference, README.md
//
// Packages below internal:
//
//	host          what the packages of commands use of the command line
//	accesscmd     whoami, can-i, token and role
//	certcmd       cert: a certificate authority
//	clustercmd    the commands of cluster: its members and their certificates
//	gamecmd       the commands that look inside a game
//	rolloutcmd    the commands of rollout
//	storecmd      backup, restore, etcd and bench
//	flags         groups of flags that several commands share
//	clientconfig  contexts: daemons and their credentials, in a file
//	selection     games that match filters, and commands for several games
//	manifest      YAML and JSON files of -f
//	complete      completions by requests to the daemon
//	condition     what the command wait waits for
//	expression    output by names, JSONPath, templates and columns
//	output        results as tables, text, JSON and YAML
//	progress      progress of operations and benchmarks
//	exit          exit codes, error messages and hints
//	render        cells, tables and encoders
//
// What an addition needs:
//
//   - A command: a file with its cobra.Command, whose RunE is runE, and its entry in root
//     (cli.go). Print its result by a method of output.Printer.
//   - An operation: a command made by operationCommand.
//   - A flag: the flags struct of its command, or package flags if commands share it.
//     Flags of serve are settings: see package config.
//   - An output format: Formats and Printer.newEncoder in package output.
//   - A hint or an exit code: Reporter.Hint or Code in package exit, and the help topic.
//
// Then go generate writes README.md from the help texts.
package cli
