// Package bench measures the record store against bare etcd, in one process and on one
// cluster, and compares each ratio with the target of the design. Command rtmanager bench
// runs it. README.md has the figures of a run.
//
//	bench.go        Run and its options
//	table.go        the rows: what each measures, against what, and the target
//	comparison.go   a row that compares two workloads in alternating rounds
//	workload.go     concurrent workers; one sample of their latencies
//	runner.go       the store and the data of a run
//	writers.go reads.go watches.go subscribers.go growth.go
//	                the workloads
//	histogram.go    latencies
//	report.go       the result, with stable JSON names
//	removal.go      deletes everything that the run wrote
package bench
