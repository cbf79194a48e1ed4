// Package runtime is the core of the domain: the runtime record of a game, its status,
// the transitions between statuses, and the errors of records and stores. It does not
// depend on etcd, HTTP or Docker, and imports only the standard library. No function in
// it reads a clock.
//
//	record.go      RuntimeRecord: fields, validation, comparison
//	status.go      Status: running, stopped, removed
//	transition.go  the allowed transitions and their effect on the fields
//	ledger.go      LedgerEntry: one write in the history of a game
//	gameid.go      the rules of game ids
//	errors.go      sentinels and typed errors
//
// A new status needs its constant and Statuses (status.go), allowedTransitions and Apply
// (transition.go), and the field rules in Validate (record.go). CONTRIBUTING lists the
// places outside this package.
package runtime
