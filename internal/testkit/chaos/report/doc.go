// Package report writes what happened in runs of the fault harness as pages that need no other
// file: one page for a run, and a page and a JSON file for a directory of runs.
//
//	report.go     Input; Write: the page of a run
//	page.go       what the page of a run has: facts, rules, violations, tables
//	timeline.go   the rows of the timeline for each node
//	cluster.go    those of the cluster: violations, faults, the leader
//	figure.go     figure: rows with one time axis as SVG shapes
//	panels.go     rows with a value axis: rates, latencies, containers
//	interval.go   calls by intervals of time, percentiles
//	gaps.go       the times in which no call of a kind was served
//	streams.go    when watch streams were open, and why they ended
//	recovery.go   how long faults lasted, and the recovery after them
//	summary.go    Run, Summary: the figures of many runs
//	directory.go  reads, checks and reports all recordings of a directory
package report
