package etcd

import "go.etcd.io/etcd/api/v3/mvccpb"

// FamilyCheck checks the values of one family of keys, which are independent of every other key.
type FamilyCheck struct {
	// Prefix is the prefix of all keys of the family.
	Prefix string
	// Check returns why a key or its value cannot be read, and nil if it can. It is safe for concurrent use.
	Check func(kv *mvccpb.KeyValue) error
	// Effect is what a value that cannot be read causes, such as "the node counts as not cordoned".
	Effect string
}
