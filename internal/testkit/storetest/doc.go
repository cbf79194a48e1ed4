// Package storetest is the conformance suite of the store ports in package ports.
// Each sentence of their contracts is a named test here, and every adapter runs all of
// them:
//
//   - Run tests ports.Store. The adapter provides a Harness.
//   - RunIntents tests ports.IntentStore. The adapter provides an IntentHarness.
//   - RunModel runs random programs on the store and on a model, and compares every
//     result.
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
//	intents.go intentreads.go intentwrites.go intentfences.go
//	model.go                    RunModel; shrinks a program that fails
//	modelprogram.go             random programs
//	modelcompare.go             runs a program on both stores and compares the results
package storetest
