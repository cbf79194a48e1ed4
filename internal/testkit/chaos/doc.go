// Package chaos is the fault harness: it runs a cluster under faults, with clients that record
// every call, and keeps everything that happened as files. Whether the promises were kept is decided
// afterwards, from the files alone.
//
//	RTMANAGER_CHAOS=10m RTMANAGER_CHAOS_SEED=7 go test -timeout 0 -run Chaos ./internal/testkit/chaos
//
//	run.go       Execute: traffic, faults, and the recording of one run
//	recorder.go  records every change of etcd
//	sampler.go   records containers and the leader of etcd at an interval
//	final.go     records what each daemon states after the last fault
//	traffic      the clients and watchers
//	recording    the files
//	check        whether the promises were kept, from the files
//	report       pages about runs
//	command      the program for clusters that exist, cmd/chaos
package chaos
