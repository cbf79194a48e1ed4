// Package etcdaccess keeps tokens and role bindings in etcd. Store implements
// ports.AccessStore.
//
//	/access/tokens/<name>       a token: the hash of its secret, its grants, its expiry
//	/access/bindings/<subject>  the grants of a subject or group
//	/access-uses/<name>         when the token was last used
//
// The family /access/ is the policy. The number of its keys and their newest mod revision change
// with every write and deletion, so one request for both shows whether the policy has
// changed. A watch would notice a change sooner, and would need care for compaction and broken streams;
// a policy changes rarely, and is small.
package etcdaccess
