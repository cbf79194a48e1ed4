// Package backup saves, verifies, opens and restores copies of a whole etcd with its stores.
//
//	file.go      the file of a backup: snapshot of etcd with its checksum
//	manifest.go  the manifest next to it: time, revision, records, checksum
//	save.go      Save: from a running etcd, verified by fsck of the copy
//	copy.go      Open: a temporary etcd in this process on a copy of a backup
//	restore.go   Restore: data directories for an embedded member or an external etcd
//	verifier.go  a verification in another process
//	schedule.go  Schedule: periodic backups of a daemon
//	retention.go which backups a schedule deletes
//	live.go      members of the backed up cluster that still run
package backup
