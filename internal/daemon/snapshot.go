package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"

	"galaxy/rtmanager/internal/backup"
	"galaxy/rtmanager/internal/config"
)

// SaveBackup saves a backup of the first of cfg.EtcdEndpoints to a file, as backup.Save does.
func SaveBackup(ctx context.Context, cfg config.Config, file, version string, logger *slog.Logger) (_ backup.Manifest, err error) {
	cfg.EtcdEndpoints = cfg.EtcdEndpoints[:1] // a snapshot is of one member
	etcd, err := connect(ctx, cfg, logger)
	if err != nil {
		return backup.Manifest{}, err
	}
	defer func() { err = errors.Join(err, etcd.Close()) }()
	manifest, err := backup.Save(ctx, etcd.Client, file, backup.SaveOptions{Version: version})
	if err != nil {
		return backup.Manifest{}, fmt.Errorf("backup of etcd at %s: %w", etcd.URLs, adviseUser(err))
	}
	return manifest, nil
}

// RestoreRequest describes what Restore does in addition to the settings of the daemon.
type RestoreRequest struct {
	File string
	// Members are those of an external etcd; none for a daemon with an embedded etcd.
	Members []backup.Member
	// IgnoreLive is that of backup.RestoreOptions.
	IgnoreLive bool
}

// Restore creates the data directory of the settings, or of the members of an external etcd,
// from a backup, as backup.Restore does.
func Restore(ctx context.Context, cfg config.Config, request RestoreRequest) (backup.Restored, error) {
	files, err := openEtcdTLS(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return backup.Restored{}, err
	}
	options := backup.RestoreOptions{
		Members: request.Members, ClusterToken: cfg.EtcdClusterToken, IgnoreLive: request.IgnoreLive,
		TLS: func(host string) *tls.Config { return files.Config(host, nil) },
	}
	if len(request.Members) == 0 {
		options.DataDir = cfg.DataDir
	}
	restored, err := backup.Restore(ctx, request.File, options)
	return restored, adviseFlags(err)
}
