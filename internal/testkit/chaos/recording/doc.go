// Package recording keeps what happened in one run of the fault harness: every call of every
// client, every event of every watch, every fault, every change of etcd, and samples of the state
// of the cluster. A recording is a directory of files with one JSON object per line, so that a
// run can be checked once more, by other rules or another version of them.
//
// The package knows the formats and nothing of the code under test. All times of a recording are
// nanoseconds since the start of the run, by the monotonic clock of the process that recorded
// them: clients, watchers and recorders of a run are in one process, so their times compare.
//
//	run.go     Run: what was run, by which seed
//	call.go    Call: one call of a client
//	event.go   Event: one event of a watch
//	fault.go   Fault: one fault; Sample: the state of the cluster at one time
//	change.go  Change: one change of a key in etcd
//	writer.go  Writer: writes a recording
//	reader.go  Read: reads a recording
package recording
