// Package intenttest is the conformance suite of ports.IntentStore. Each sentence of its
// contract is a named test here, and every adapter runs all of them with Run.
//
//	harness.go  Harness, Run
//	reads.go    GetIntent, GetIntents, GamesWithActiveOperation, GamesOfOperation
//	writes.go   PutIntent: preconditions, unknown members, sizes
//	fences.go   PutIntent with fences; corrupt intents
package intenttest
