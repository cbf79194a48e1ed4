// Package etcdauth creates a user of etcd that can use nothing but the keys of one store.
//
// etcd checks a user's ranges for each request. A user without the role root can therefore
// neither read nor write other keys, nor compact, nor change members, users and alarms. It can
// still grant leases and read the status of members.
package etcdauth
