// Package selection is the games that a command acts on: the arguments GAME…, or the games that
// match filters. It carries out a command for many games, some of them at a time.
//
//	flags.go   Flags: the flags that select games, and how many at a time
//	filter.go  the statuses of a filter
//	select.go  the selected games, with their records
//	run.go     one function for each game, with a limit of how many run at a time
package selection
