// Package drift detects where the record, the intent and the engine disagree about a
// game, and proposes an action for each disagreement. Detect is a pure function: it
// reads and writes nothing, and takes the time from its input.
//
//	finding.go      Finding, its kinds and actions
//	detect.go       Observation and Detect
//	condition.go    Observation.Condition: the condition of the record
//	tracker.go      Tracker: how long, and how often, each finding has been observed
//	report.go       Report: the findings and brakes of nodes; ApplyResult
//	explanation.go  Explanation: everything that is stored and observed of one game
//
// A new kind of finding is a Kind constant and a case in detect.go. A new action is an
// Action constant, a case in lifecycle.Service.Remediate and, if it can take long, a queue
// in workers/reconcile (queueFor). KindNodeLost is not detected here but by the worker
// failover, because a node cannot observe its own absence.
package drift
