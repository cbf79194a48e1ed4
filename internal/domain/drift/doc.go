// Package drift detects where the record, the intent and the engine disagree about a
// game, and proposes an action for each disagreement. Detect is a pure function: it
// reads and writes nothing, and takes the time from its input.
//
//	finding.go   Finding, its kinds and actions, and the reports made of findings
//	detect.go    Observation and Detect
//	tracker.go   Tracker: how long, and how often, each finding has been observed
package drift
