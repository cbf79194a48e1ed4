// Package storetest is the conformance suite of the store ports, which Store combines. Each
// sentence of their contracts is a named test here. Every adapter runs all of them with Run
// and provides a Harness.
//
// Package intenttest is the same for ports.IntentStore. Package modeltest runs random
// programs on a store of the Harness and on a model, and compares every result.
//
// Each test runs in parallel with the others on a store of its own. After each test Run
// checks that records, status index and ledger of the store agree.
//
// To add a sentence to the contract, write it in the doc of package ports. Then add a
// contractTest with the same words to the file of its topic. A method of Store needs
// the same in memstore, which is the model, and a kind of step in modeltest.
//
//	store.go storetest.go       Store, Harness, Run
//	fixtures.go                 records, inputs, game ids
//	reads.go localreads.go pages.go scans.go ledger.go inspections.go
//	upserts.go puts.go transitions.go rejections.go gameids.go
//	operationids.go fences.go races.go contexts.go
//	watchreader.go              reads and checks one stream of events
//	watches.go watchresume.go watchfilters.go watchends.go
//	compactions.go deletions.go tests that need a function of the Harness
package storetest
