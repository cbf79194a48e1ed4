package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/etcdauth"
	"galaxy/rtmanager/internal/etcdcluster"
)

// BootstrapEtcd creates a user in the cluster of cfg.EtcdEndpoints, as etcdauth.Bootstrap does.
// cfg.EtcdUser is the administrator of the cluster, empty if it authenticates no requests.
//
// It rejects to enable authentication in an etcd that a daemon embeds: the daemon uses it
// without a user.
func BootstrapEtcd(ctx context.Context, cfg config.Config, options etcdauth.Options, logger *slog.Logger, report func(string)) (err error) {
	etcd, err := connect(ctx, cfg, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, etcd.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, cfg.EtcdDialTimeout)
	defer cancel()
	if options.EnableAuth {
		members, err := etcd.Client.MemberList(ctx)
		if err != nil {
			return bootstrapError(etcd.URLs, err)
		}
		_, identityErr := etcdcluster.LoadIdentity(ctx, etcd.Client)
		isSingle := len(members.Members) == 1 && members.Members[0].Name == embeddedetcd.MemberName
		if isSingle || identityErr == nil {
			return fmt.Errorf("etcd at %s is embedded in a daemon, which could not use it with authentication", etcd.URLs)
		}
	}
	if err := etcdauth.Bootstrap(ctx, etcd.Client, options, report); err != nil {
		return bootstrapError(etcd.URLs, err)
	}
	return nil
}

// bootstrapError returns an error of etcd with its addresses, and with the flag by which the
// operator can resolve it.
func bootstrapError(urls string, err error) error {
	if errors.Is(err, rpctypes.ErrUserEmpty) {
		err = fmt.Errorf("%w: etcd requires a user; set --root-password-file", err)
	}
	return fmt.Errorf("etcd at %s: %w", urls, err)
}
