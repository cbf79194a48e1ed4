package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/filelock"
	"galaxy/rtmanager/internal/logging"
)

// Etcd is an open etcd cluster, embedded or external.
type Etcd struct {
	// Client serves requests, WatchClient watches. WatchClient has a connection of its own,
	// so that large reads do not delay watches. The client of an embedded member has no
	// connection and serves both.
	Client, WatchClient *clientv3.Client
	// URLs are the client URLs, separated by commas.
	URLs string
	// Close closes the clients, and stops an embedded member.
	Close func() error

	failed <-chan error // receives the error of an embedded member that stops by itself
}

// OpenEtcd opens the etcd cluster of the settings: it starts an embedded member below
// cfg.DataDir, or creates the clients of EtcdEndpoints. It sends no request to external
// endpoints, except that clients with a user name log in at once. It then returns
// runtime.ErrUnavailable if no endpoint responds within EtcdDialTimeout. Other errors are
// those of Run.
func OpenEtcd(ctx context.Context, cfg config.Config, logger *slog.Logger) (*Etcd, error) {
	if cfg.HasEmbeddedEtcd() {
		return startMember(ctx, cfg, logger)
	}
	return connect(ctx, cfg, logger)
}

func startMember(ctx context.Context, cfg config.Config, logger *slog.Logger) (*Etcd, error) {
	member, err := embeddedetcd.Start(ctx, embeddedetcd.Config{
		DataDir: cfg.DataDir, ListenClientURL: cfg.EtcdListenClient, ListenPeerURL: cfg.EtcdListenPeer,
		ClusterToken: cfg.EtcdClusterToken, QuotaBytes: cfg.EtcdQuotaBytes, CompactionRetention: cfg.EtcdRetention,
		Logger: logging.ForEtcd(logger),
	})
	if err != nil {
		return nil, adviseFlags(err)
	}
	return &Etcd{
		Client: member.Client(), WatchClient: member.Client(), URLs: member.ClientURL(),
		failed: member.Err(), Close: member.Close,
	}, nil
}

// adviseFlags appends to an error of embeddedetcd the flag by which the operator can
// resolve it.
func adviseFlags(err error) error {
	var invalid *embeddedetcd.ConfigError
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

// connect creates the clients of an external cluster.
func connect(ctx context.Context, cfg config.Config, logger *slog.Logger) (*Etcd, error) {
	settings, err := clientSettings(ctx, cfg, logger)
	if err != nil {
		return nil, err
	}
	urls := strings.Join(cfg.EtcdEndpoints, ",")
	var clients []*clientv3.Client
	closeAll := func() error {
		for _, c := range clients {
			_ = c.Close() // always returns context.Canceled
		}
		return nil
	}
	for range 2 {
		c, err := clientv3.New(settings) // waits for etcd only to log in a user
		if errors.Is(err, context.DeadlineExceeded) {
			err = noResponseError(cfg, urls, err)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("connect to etcd: %w", err), closeAll())
		}
		clients = append(clients, c)
	}
	return &Etcd{Client: clients[0], WatchClient: clients[1], URLs: urls, Close: closeAll}, nil
}

// noResponseError is the error of a start for which etcd did not respond in time.
func noResponseError(cfg config.Config, urls string, last error) error {
	return fmt.Errorf("etcd at %s: %w: no response within %s (--etcd-dial-timeout): %s", urls, runtime.ErrUnavailable, cfg.EtcdDialTimeout, last.Error())
}

func clientSettings(ctx context.Context, cfg config.Config, logger *slog.Logger) (clientv3.Config, error) {
	secure, err := clientTLS(cfg)
	if err != nil {
		return clientv3.Config{}, err
	}
	password, err := readPassword(cfg)
	if err != nil {
		return clientv3.Config{}, err
	}
	return clientv3.Config{
		// ctx may end with the start of the daemon; Close ends the client.
		Context:   context.WithoutCancel(ctx),
		Endpoints: cfg.EtcdEndpoints, TLS: secure, Username: cfg.EtcdUser, Password: password,
		DialTimeout: cfg.EtcdDialTimeout,
		// Pings detect a peer that stopped without closing its connection. Servers reject
		// pings more often than every 5 s.
		DialKeepAliveTime: 30 * time.Second, DialKeepAliveTimeout: 10 * time.Second,
		// The store retries requests itself: it knows which may be repeated.
		MaxUnaryRetries: 1,
		Logger:          logging.ForEtcd(logger),
	}, nil
}

// clientTLS returns nil if the settings do not request TLS. An https endpoint does; its
// certificate is verified by the system's authorities unless a CA is configured.
func clientTLS(cfg config.Config) (*tls.Config, error) {
	info := transport.TLSInfo{TrustedCAFile: cfg.EtcdCACert, CertFile: cfg.EtcdCert, KeyFile: cfg.EtcdKey}
	if info.TrustedCAFile == "" && info.CertFile == "" && !strings.HasPrefix(cfg.EtcdEndpoints[0], "https:") {
		return nil, nil
	}
	secure, err := info.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("--etcd-cacert, --etcd-cert, --etcd-key: %w", err)
	}
	return secure, nil
}

func readPassword(cfg config.Config) (string, error) {
	if cfg.EtcdPasswordFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(cfg.EtcdPasswordFile)
	if err != nil {
		return "", fmt.Errorf("--etcd-password-file: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}
