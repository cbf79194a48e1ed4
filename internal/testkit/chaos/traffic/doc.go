// Package traffic makes the calls of a run of the fault harness, and records each with its result.
//
//	traffic.go   Start: all clients and watchers of a run
//	choice.go    which call a client of the record store makes next
//	client.go    a client of the record store: one call after the other, retries
//	rest.go      calls of the record store through the API of a daemon
//	direct.go    calls of the record store through a store in this process
//	recovery.go  calls and streams after the last fault, which must succeed
//	fenced.go    leaders whose writes carry a fence
//	lifecycle.go a client that starts, stops and moves games
//	watcher.go   a watcher: what it selects, and when it resumes, pauses or starts over
//	watchrest.go streams through the API of a daemon
//	watchdirect.go streams through a store in this process
package traffic
