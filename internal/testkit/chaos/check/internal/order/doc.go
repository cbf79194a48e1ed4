// Package order searches for an order of the calls of one game that agrees with every response and
// with the clock, by porcupine. It knows the promises of the store and no change of etcd: a call of
// unknown outcome was resolved before, as etcd's robustness tests do it.
//
//	call.go    Call and State: what the model sees
//	model.go   the specification of the store for one game
//	check.go   Check: parts of a history at whose ends no call was in progress
//	shrink.go  shrink: the calls that a violation needs
package order
