package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/backup"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/runtime"
)

// SaveBackup saves a backup of the first of cfg.EtcdEndpoints to a file, as backup.Save does.
func SaveBackup(ctx context.Context, cfg config.Config, file, version string, logger *slog.Logger) (_ backup.Manifest, err error) {
	cfg.EtcdEndpoints = cfg.EtcdEndpoints[:1] // a snapshot is of one member
	etcd, err := connect(ctx, cfg, logger)
	if errors.Is(err, runtime.ErrUnavailable) && ctx.Err() == nil {
		etcd, err = connectToMember(ctx, cfg, err)
	}
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

// memberTimeout bounds the wait for a member that other connections treat as unavailable.
const memberTimeout = 3 * time.Second

// connectToMember connects to a member that serves no linearizable request because it has no
// leader. It still serves a snapshot. It returns unavailable if the member does not respond.
func connectToMember(ctx context.Context, cfg config.Config, unavailable error) (*Etcd, error) {
	endpoint := cfg.EtcdEndpoints[0]
	files, err := openEtcdTLS(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	clientConfig := clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: memberTimeout, Logger: zap.NewNop()}
	if at, err := url.Parse(endpoint); err == nil && at.Scheme == "https" {
		clientConfig.TLS = files.Config(at.Hostname(), nil)
	}
	client, err := clientv3.New(clientConfig)
	if err != nil {
		return nil, unavailable
	}
	statusCtx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	if _, err := client.Status(statusCtx, endpoint); err != nil {
		return nil, errors.Join(unavailable, client.Close())
	}
	return &Etcd{Client: client, WatchClient: client, URLs: endpoint, Close: client.Close}, nil
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
