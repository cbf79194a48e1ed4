// Package modeltest compares a store with a model: it runs random programs on both, and
// every step must have the same result. The model comes from storetest.Harness.NewModel.
//
//	run.go      Run, and the shrinking of a program that fails
//	program.go  random programs
//	compare.go  runs each step on both stores and compares the results
//	steps.go    steps that need more than one call, such as a whole list or a watch
package modeltest
