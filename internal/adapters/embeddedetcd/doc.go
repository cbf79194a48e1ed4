// Package embeddedetcd runs one etcd member inside this process, on a data
// directory that no second process can open, with settings fit for production.
// It is what the daemon uses when no external etcd is named.
package embeddedetcd
