// Package storetest is the conformance suite of the store ports in package ports.
// Each sentence of their contracts is a named test here, and every adapter runs all of
// them:
//
// Run tests ports.Store; the adapter provides a Harness. Package intenttest is the same
// for ports.IntentStore. Package modeltest runs random programs on a store of the
// Harness and on a model, and compares every result.
//
// Each test runs in parallel with the others on a store of its own. After each test Run
// checks that records, status index and ledger of the store agree.
//
// Files:
//
//	storetest.go                Harness, Run
//	fixtures.go                 records, inputs, game ids
//	reads.go localreads.go pages.go ledger.go inspections.go
//	upserts.go puts.go transitions.go rejections.go gameids.go
//	operationids.go fences.go races.go contexts.go
//	watchreader.go              reads and checks one stream of events
//	watches.go watchresume.go watchfilters.go watchends.go
//	compactions.go deletions.go tests that need a capability of the Harness
package storetest
