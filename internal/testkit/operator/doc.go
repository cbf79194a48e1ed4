// Package operator does to a cluster of package regions what its operator may do, and what happens
// to its machines. Every function returns an error and fails no test, so that any goroutine
// may call it.
//
//	space.go       compaction, defragmentation, repair after an exceeded quota
//	nodes.go       sessions, containers and restarts of daemons
//	backup.go      backup and restore
//	disk_*.go      small disks that can be full
//	slowdisk_*.go  disks that are slow, that hang, or whose syncs fail
//	clock.go       daemons whose clock is wrong
package operator
