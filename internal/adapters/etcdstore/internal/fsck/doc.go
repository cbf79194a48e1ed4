// Package fsck checks the rules of package layout over all keys of a store, and repairs
// those violations whose correct state the other keys imply.
//
//	check.go         Check: one scan of every key, and the findings
//	repair.go        one transaction per finding
//	index_verify.go  VerifyStatusIndex: a cheap check before a list by status
package fsck
