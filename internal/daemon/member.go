package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/etcdcluster"
	"galaxy/rtmanager/internal/filelock"
	"galaxy/rtmanager/internal/logging"
)

// startMember starts the embedded member and waits until it is ready. A member of a cluster waits
// for the other members as long as ctx lives, and reports why.
func startMember(ctx context.Context, cfg config.Config, logger *slog.Logger, report func(state string)) (*Etcd, error) {
	if len(cfg.ClusterJoin) == 0 { // the cluster that is joined has the records of these games
		if err := requireGamesOfStore(cfg.DataDir); err != nil {
			return nil, err
		}
	}
	clients, peers, err := openMemberTLS(cfg, logger)
	if err != nil {
		return nil, err
	}
	warnOfSharedAuthority(cfg, logger, clients, peers)
	settings := memberConfig(cfg, logger, report)
	member, err := embeddedetcd.Start(ctx, settings)
	if err != nil {
		return nil, adviseFlags(err)
	}
	if err := awaitMember(ctx, member, report); err != nil {
		return nil, errors.Join(adviseFlags(err), member.Close())
	}
	etcd := &Etcd{
		Client: member.Client(), WatchClient: member.Client(), URLs: member.ClientURL(),
		failed: adviseFailure(member.Err()), Close: member.Close, diskFull: member.DiskFull, clientListener: clients, peerListener: peers,
	}
	if settings.Cluster != nil {
		etcd.member = member
	}
	return etcd, nil
}

// memberConfig returns the settings of the embedded member.
func memberConfig(cfg config.Config, logger *slog.Logger, report func(state string)) embeddedetcd.Config {
	settings := embeddedetcd.Config{
		DataDir: cfg.DataDir, ListenClientURL: cfg.EtcdClientURL(), ListenPeerURL: cfg.EtcdPeerURL(), Insecure: cfg.Insecure,
		ClientTLS:    embeddedetcd.TLSFiles{Cert: cfg.EtcdListenCert, Key: cfg.EtcdListenKey, CA: cfg.EtcdListenClientCA},
		PeerTLS:      embeddedetcd.TLSFiles{Cert: cfg.EtcdPeerCert, Key: cfg.EtcdPeerKey, CA: cfg.EtcdPeerCA},
		ClusterToken: cfg.EtcdClusterToken, QuotaBytes: cfg.EtcdQuotaBytes, DiskReserveBytes: cfg.DiskReserve, CompactionRetention: cfg.EtcdRetention,
		Logger: logging.ForEtcd(logger),
	}
	if !cfg.InCluster() {
		return settings
	}
	settings.Cluster = &embeddedetcd.Cluster{
		Name: cfg.Region + "/" + cfg.Node, FormerName: cfg.RenameFrom, Init: cfg.ClusterInit, Join: cfg.ClusterJoin,
		AdvertiseClientURL: cfg.EtcdAdvertiseClientURL(), AdvertisePeerURL: cfg.EtcdAdvertisePeerURL(),
		TLS: settings.ClientTLS, RoundTrip: cfg.ClusterRoundTrip, Report: report, Logger: logger.With("component", "etcd"),
	}
	return settings
}

// memberReportInterval is how often the state of a member that waits is read.
const memberReportInterval = time.Second

// awaitMember waits until the member is ready.
func awaitMember(ctx context.Context, member *embeddedetcd.Member, report func(state string)) error {
	ticker := time.NewTicker(memberReportInterval)
	defer ticker.Stop()
	for {
		select {
		case <-member.Ready():
			return nil
		case err := <-member.Err():
			return err
		case <-ctx.Done():
			return fmt.Errorf("start etcd: %w", context.Cause(ctx))
		case <-ticker.C:
			if err := member.Health(); err != nil {
				report(err.Error())
			}
		}
	}
}

// adviseFailure adds advice to the error of a member that stops by itself. The channel is closed
// with that of the member.
func adviseFailure(failed <-chan error) <-chan error {
	advised := make(chan error, 1)
	go func() {
		defer close(advised)
		for err := range failed {
			advised <- adviseFlags(err)
		}
	}()
	return advised
}

// adviseFlags appends to an error of embeddedetcd the flag by which the operator can
// resolve it.
func adviseFlags(err error) error {
	if _, isCorrupt := errors.AsType[*embeddedetcd.CorruptDataError](err); isCorrupt {
		return fmt.Errorf("%w (rtmanager restore --from SNAPSHOT --data-dir DIRECTORY)", err)
	}
	if _, isRemoved := errors.AsType[*embeddedetcd.RemovedError](err); isRemoved {
		return fmt.Errorf("%w, and start the daemon with --cluster-join and the URLs of other members", err)
	}
	if taken, isTaken := errors.AsType[*etcdcluster.TakenError](err); isTaken {
		return fmt.Errorf("%w (rtmanager cluster replace %s)", err, taken.Member.Label())
	}
	if errors.Is(err, embeddedetcd.ErrOldData) {
		return fmt.Errorf("%w; rtmanager cluster replace replaces it", err)
	}
	invalid, isInvalid := errors.AsType[*embeddedetcd.ConfigError](err)
	if !isInvalid {
		return err
	}
	if errors.Is(err, filelock.ErrLocked) {
		return fmt.Errorf("%w; stop that process, or choose another directory with --data-dir", err)
	}
	if advice := fieldAdvice[invalid.Field]; advice != "" {
		return fmt.Errorf("%w; %s", err, advice)
	}
	return err
}

// fieldAdvice is the advice for an error of each field of embeddedetcd.Config.
var fieldAdvice = map[string]string{
	embeddedetcd.FieldDataDir:         "choose another directory with --data-dir",
	embeddedetcd.FieldClusterToken:    "set that cluster with --etcd-cluster-token, or choose another directory with --data-dir",
	embeddedetcd.FieldListenClientURL: "choose another address with --etcd-listen-client",
	embeddedetcd.FieldListenPeerURL:   "choose another address with --etcd-listen-peer",
	embeddedetcd.FieldMemberName:      "correct --region and --node, choose another directory with --data-dir, or name the former node with --rename-from",
	embeddedetcd.FieldJoin:            "correct --cluster-join, or choose another directory with --data-dir",
	embeddedetcd.FieldInit:            "omit --cluster-init to continue with the data of a directory, and use --cluster-join to join a cluster; rtmanager cluster replace replaces a lost member",
	embeddedetcd.FieldAdvertise:       "set --advertise, or --etcd-advertise-client and --etcd-advertise-peer",
	embeddedetcd.FieldCertificate:     "issue one for that address (rtmanager cluster cert issue --node REGION/NODE --host HOST), or set --advertise, or --etcd-advertise-client and --etcd-advertise-peer",
}
