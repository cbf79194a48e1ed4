package config

import (
	"time"

	"github.com/spf13/pflag"
)

// Backup is the part of Config for backups that the daemon makes by itself.
type Backup struct {
	// BackupDir is the directory of the backups. Empty makes none.
	BackupDir string
	// BackupInterval is the time between two backups; at least 1 min. Default 6 h.
	BackupInterval time.Duration
	// BackupKeep is the number of backups of this daemon that are kept; at least 1. Default
	// 28.
	BackupKeep int64
	// BackupVerifier is the command that verifies a backup, without the file. Empty verifies
	// in this process. It is no flag.
	BackupVerifier []string
}

// minBackupInterval is the least interval: a backup reads the whole database a few times.
const minBackupInterval = time.Minute

func defaultBackup() Backup { return Backup{BackupInterval: 6 * time.Hour, BackupKeep: 28} }

func (b *Backup) bindBackup(f *pflag.FlagSet) {
	f.StringVar(&b.BackupDir, "backup-dir", b.BackupDir, "`DIR` in which the daemon saves backups of etcd; several daemons may share it")
	f.DurationVar(&b.BackupInterval, "backup-interval", b.BackupInterval, "time between two backups, such as 6h")
	f.Int64Var(&b.BackupKeep, "backup-keep", b.BackupKeep, "`NUMBER` of backups of this daemon to keep")
}

func (b Backup) validateBackup() error {
	var v violations
	v.addIf(b.BackupInterval < minBackupInterval, "--backup-interval %s is too short; use at least %s", b.BackupInterval, minBackupInterval)
	v.addIf(b.BackupKeep < 1, "--backup-keep %d is too small; use at least 1", b.BackupKeep)
	return v.join()
}
