// Package modeltest compares a store with a model: it runs random programs on both, and
// every step must have the same result. The model comes from storetest.Harness.NewModel.
//
//	run.go      Run; shrinks a program that fails
//	program.go random programs
//	steps.go    the kinds of step
//	compare.go runs a program on both stores and compares the results
package modeltest
