// Package bench measures the record store against bare etcd, or another store, on one
// cluster: an etcd in this process, members in processes of their own, or an external
// etcd. It compares each ratio with the target of the design. Command rtmanager bench runs
// it. README.md has the figures of a run.
//
// To add a row that compares two workloads, add it to comparisons in table.go, and write its
// workloads in a file of their own.
//
//	bench.go        Run and its options
//	table.go        the rows: what each measures, against what, and the target
//	targets.go      the targets, which depend on the cluster
//	comparison.go   a row that compares two sides in alternating rounds
//	rounds.go       the figures of a round
//	cpu.go          the CPU time of both sides
//	profiles.go     profiles of both sides
//	peer.go         another store in place of bare etcd
//	workload.go     concurrent workers; one sample of their latencies
//	runner.go       the store and the data of a run
//	records.go      the records that a run writes
//	writers.go reads.go listhttp.go watches.go
//	                the workloads of the comparisons
//	subscribers.go subscriberpool.go
//	                the row subscribers: many watches of one store
//	growth.go       the row growth: the cost of more records
//	histogram.go    latencies
//	report.go       the result, with stable JSON names
//	removal.go      deletes everything that the run wrote
//
// Packages below:
//
//	members         etcd members as processes of their own
//	peerclient      a program that measures another store
//	child, cputime  what they share
package bench
