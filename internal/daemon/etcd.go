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

	failed    <-chan error         // receives the error of an embedded member that stops by itself
	diskFull  func() error         // returns why an embedded member accepts no writes; nil for an external one
	endpoints *etcdconn.Pool       // of an external cluster; nil for an embedded member
	member    *embeddedetcd.Member // of an embedded cluster; nil for a single member
	tls       tlsfiles.Client
	// clientListener and peerListener are the files of an embedded member.
	clientListener, peerListener tlsfiles.Client
}

// OpenEtcd opens the etcd cluster of the settings: it starts an embedded member below
// cfg.DataDir, or connects to EtcdEndpoints and logs in the user. It returns
// runtime.ErrUnavailable if no endpoint serves requests within EtcdDialTimeout. Other errors
// are those of Run.
func OpenEtcd(ctx context.Context, cfg config.Config, logger *slog.Logger) (*Etcd, error) {
	return openEtcd(ctx, cfg, logger, func(string) {})
}

// openEtcd is OpenEtcd. It reports why the start of a member of a cluster waits.
func openEtcd(ctx context.Context, cfg config.Config, logger *slog.Logger, report func(state string)) (*Etcd, error) {
	if cfg.HasEmbeddedEtcd() {
		return startMember(ctx, cfg, logger, report)
	}
	return connect(ctx, cfg, logger)
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
