// Package bench measures the record store against bare etcd, in one process and on one
// cluster. It compares each ratio with the target of the design. Command rtmanager bench
// runs it. README.md has the figures of a run.
//
// To add a row that compares two workloads, add it to comparisons in table.go, and write its
// workloads in a file of their own.
//
//	bench.go        Run and its options
//	table.go        the rows: what each measures, against what, and the target
//	comparison.go   a row that compares two workloads in alternating rounds
//	workload.go     concurrent workers; one sample of their latencies
//	runner.go       the store and the data of a run
//	records.go      the records that a run writes
//	writers.go reads.go watches.go
//	                the workloads of the comparisons
//	subscribers.go subscriberpool.go watchcounter.go
//	                the row subscribers: many watches of one store
//	growth.go       the row growth: the cost of more records
//	histogram.go    latencies
//	report.go       the result, with stable JSON names
//	removal.go      deletes everything that the run wrote
package bench
