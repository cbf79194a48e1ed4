// Package check decides from a recording alone whether the promises of the store, the watches and
// the daemons were kept in a run of the fault harness. It uses the documented keys, values and
// promises. It shares no code with the code under test.
//
// Rules writes, reads, lists, local reads and watches compare each response with the state that etcd
// had: they know every revision. Rule order is a second opinion that knows the calls only.
//
//	check.go         Check: all rules, for each history of etcd
//	split.go         the parts of a recording in which etcd had one history
//	report.go        Report, Violation; Void: a run that proves nothing
//	report_text.go   a report as text
//	stats.go         what happened in the run, and the recovery after each fault
//	evidence.go      calls, events and changes as lines of text; the shortest history
//	writes.go        rule writes: each write was applied as its response states
//	write_effect.go  what an applied write must have changed
//	deletions.go     rule writes, for deletions
//	operations.go    rule writes, for operations on containers
//	reads.go         rule reads: reads of one record, and conflicts
//	lists.go         rule lists: lists and ledgers at one revision
//	order.go         rule order: porcupine finds an order of the calls of each game
//	local.go         rule local reads: they never go back
//	watches.go       rule watches: each stream delivers the true history
//	watch_events.go  rule watches, for one event and its evidence
//	snapshots.go     rule watches, for the begin of a stream and a resync
//	invariants.go    rule invariants: keys, ledger, transitions at every revision
//	fences.go        rule fences: no write under a lost fence
//	containers.go    rule containers: one container per game, none lost, no orphan
//	liveness.go      rule liveness: everything recovers once the run is stable
//	nochanges.go     the rules that need no change of etcd
//	observed.go      reads compared with what was shown before
//	observed_streams.go  streams compared with each other
//	internal/truth   the changes of etcd, replayed
//	internal/order   the search for an order of calls
package check
