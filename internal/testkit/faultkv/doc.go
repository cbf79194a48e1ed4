// Package faultkv injects faults into the requests of an etcd client, and counts them.
//
//	kv := faultkv.Wrap(client)
//	kv.OnFirstWrite(faultkv.LoseReply(nil)) // executed, but without a response
//
// It is for tests only.
package faultkv
