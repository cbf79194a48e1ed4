package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcdconn"
	"galaxy/rtmanager/internal/filelock"
	"galaxy/rtmanager/internal/logging"
	"galaxy/rtmanager/internal/tlsfiles"
)

// Etcd is an open etcd cluster, embedded or external.
type Etcd struct {
	// Client serves requests, WatchClient watches. They are one client: that of an external
	// cluster has a connection for watches, so that large reads do not delay them.
	Client, WatchClient *clientv3.Client
	// URLs are the client URLs, separated by commas.
	URLs string
	// Close closes the clients, and stops an embedded member.
	Close func() error

	failed    <-chan error   // receives the error of an embedded member that stops by itself
	diskFull  func() error   // returns why an embedded member accepts no writes; nil for an external one
	endpoints *etcdconn.Pool // of an external cluster; nil for an embedded member
	tls       tlsfiles.Client
	// clientListener and peerListener are the files of an embedded member.
	clientListener, peerListener tlsfiles.Client
}

// OpenEtcd opens the etcd cluster of the settings: it starts an embedded member below
// cfg.DataDir, or connects to EtcdEndpoints and logs in the user. It returns
// runtime.ErrUnavailable if no endpoint serves requests within EtcdDialTimeout. Other errors
// are those of Run.
func OpenEtcd(ctx context.Context, cfg config.Config, logger *slog.Logger) (*Etcd, error) {
	if cfg.HasEmbeddedEtcd() {
		return startMember(ctx, cfg, logger)
	}
	return connect(ctx, cfg, logger)
}

func startMember(ctx context.Context, cfg config.Config, logger *slog.Logger) (*Etcd, error) {
	if err := requireGamesOfStore(cfg.DataDir); err != nil {
		return nil, err
	}
	clients, peers, err := openMemberTLS(cfg, logger)
	if err != nil {
		return nil, err
	}
	warnOfSharedAuthority(cfg, logger, clients, peers)
	member, err := embeddedetcd.Start(ctx, embeddedetcd.Config{
		DataDir: cfg.DataDir, ListenClientURL: cfg.EtcdClientURL(), ListenPeerURL: cfg.EtcdPeerURL(), Insecure: cfg.Insecure,
		ClientTLS:    embeddedetcd.TLSFiles{Cert: cfg.EtcdListenCert, Key: cfg.EtcdListenKey, CA: cfg.EtcdListenClientCA},
		PeerTLS:      embeddedetcd.TLSFiles{Cert: cfg.EtcdPeerCert, Key: cfg.EtcdPeerKey, CA: cfg.EtcdPeerCA},
		ClusterToken: cfg.EtcdClusterToken, QuotaBytes: cfg.EtcdQuotaBytes, DiskReserveBytes: cfg.DiskReserve, CompactionRetention: cfg.EtcdRetention,
		Logger: logging.ForEtcd(logger),
	})
	if err != nil {
		return nil, adviseFlags(err)
	}
	return &Etcd{
		Client: member.Client(), WatchClient: member.Client(), URLs: member.ClientURL(),
		failed: member.Err(), Close: member.Close, diskFull: member.DiskFull, clientListener: clients, peerListener: peers,
	}, nil
}

// adviseFlags appends to an error of embeddedetcd the flag by which the operator can
// resolve it.
func adviseFlags(err error) error {
	var invalid *embeddedetcd.ConfigError
	var corrupt *embeddedetcd.CorruptDataError
	if errors.As(err, &corrupt) {
		return fmt.Errorf("%w (rtmanager restore --from SNAPSHOT --data-dir DIRECTORY)", err)
	}
	if !errors.As(err, &invalid) {
		return err
	}
	switch {
	case errors.Is(err, filelock.ErrLocked):
		return fmt.Errorf("%w; stop that process, or choose another directory with --data-dir", err)
	case invalid.Field == embeddedetcd.FieldDataDir:
		return fmt.Errorf("%w; choose another directory with --data-dir", err)
	case invalid.Field == embeddedetcd.FieldClusterToken:
		return fmt.Errorf("%w; set that cluster with --etcd-cluster-token, or choose another directory with --data-dir", err)
	case invalid.Field == embeddedetcd.FieldListenClientURL:
		return fmt.Errorf("%w; choose another address with --etcd-listen-client", err)
	case invalid.Field == embeddedetcd.FieldListenPeerURL:
		return fmt.Errorf("%w; choose another address with --etcd-listen-peer", err)
	}
	return err
}

// connect connects to an external cluster, and waits at most EtcdDialTimeout until one of
// its endpoints serves requests.
func connect(ctx context.Context, cfg config.Config, logger *slog.Logger) (*Etcd, error) {
	if err := checkPassword(cfg); err != nil {
		return nil, err
	}
	files, err := openEtcdTLS(cfg, logger)
	if err != nil {
		return nil, err
	}
	pool, err := etcdconn.New(ctx, etcdconn.Options{
		Endpoints: cfg.EtcdEndpoints, TLS: files,
		User: cfg.EtcdUser, PasswordFile: cfg.EtcdPasswordFile,
		ProbeKey: strings.TrimRight(cfg.EtcdPrefix, "/") + "/",
		Logger:   logger.With("component", "etcd"),
	})
	if err != nil {
		return nil, fmt.Errorf("--etcd-endpoints: %w", err)
	}
	urls := strings.Join(cfg.EtcdEndpoints, ",")
	dialCtx, cancel := context.WithTimeout(ctx, cfg.EtcdDialTimeout)
	defer cancel()
	err = pool.WaitHealthy(dialCtx)
	switch {
	case err == nil:
		return &Etcd{Client: pool.Client(), WatchClient: pool.Client(), URLs: urls, Close: pool.Close, endpoints: pool, tls: files}, nil
	case dialCtx.Err() != nil && ctx.Err() == nil:
		err = noResponseError(cfg, urls, err)
	default:
		err = fmt.Errorf("etcd at %s: %w", urls, adviseUser(err))
	}
	return nil, errors.Join(err, pool.Close())
}

// adviseUser appends to an error of etcd about users the flag by which the operator can
// resolve it.
func adviseUser(err error) error {
	switch {
	case errors.Is(err, rpctypes.ErrAuthFailed):
		return fmt.Errorf("%w; correct --etcd-user or --etcd-password-file", err)
	case errors.Is(err, rpctypes.ErrUserEmpty):
		return fmt.Errorf("%w: etcd requires a user; set --etcd-user and --etcd-password-file", err)
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		return fmt.Errorf("%w: the user of --etcd-user may not use the keys of --etcd-prefix; correct one of them", err)
	}
	return err
}

// noResponseError is the error of a start for which etcd did not respond in time.
func noResponseError(cfg config.Config, urls string, last error) error {
	return fmt.Errorf("etcd at %s: %w: no response within %s (--etcd-dial-timeout): %s", urls, runtime.ErrUnavailable, cfg.EtcdDialTimeout, last.Error())
}

// checkPassword returns an error if the password file cannot be read or is empty.
func checkPassword(cfg config.Config) error {
	if cfg.EtcdPasswordFile == "" {
		return nil
	}
	text, err := os.ReadFile(cfg.EtcdPasswordFile)
	if err == nil && strings.TrimRight(string(text), "\r\n") == "" {
		err = fmt.Errorf("%s is empty", cfg.EtcdPasswordFile)
	}
	if err != nil {
		return fmt.Errorf("--etcd-password-file: %w", err)
	}
	return nil
}
