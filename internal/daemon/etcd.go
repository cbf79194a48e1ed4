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

// etcd is the cluster that a daemon works on, embedded or not.
type etcd struct {
	client *clientv3.Client
	// watchClient has a connection of its own, so that large reads do not hold up
	// watches. The in-process client has no connection and serves both.
	watchClient *clientv3.Client
	urls        string
	died        <-chan error // the embedded member's unasked end
	close       func() error
}

// Etcd is a cluster opened for something else than a daemon.
type Etcd struct {
	// Client serves requests, WatchClient watches.
	Client, WatchClient *clientv3.Client
	// URLs are the client URLs, separated by commas.
	URLs string
	// Close closes the clients, and stops the member where it is embedded.
	Close func() error
}

// OpenEtcd opens the cluster of the settings as a daemon would: the member below
// cfg.DataDir, or EtcdEndpoints. Whether those are there, the first request finds
// out, but for a user who has to log in: that one gets runtime.ErrUnavailable
// when nobody answers within EtcdDialTimeout. It refuses what Run refuses.
func OpenEtcd(ctx context.Context, cfg config.Config, logger *slog.Logger) (*Etcd, error) {
	opened, err := openEtcd(ctx, cfg, logger)
	if err != nil {
		return nil, err
	}
	return &Etcd{Client: opened.client, WatchClient: opened.watchClient, URLs: opened.urls, Close: opened.close}, nil
}

func openEtcd(ctx context.Context, cfg config.Config, logger *slog.Logger) (*etcd, error) {
	if cfg.Embedded() {
		return startMember(ctx, cfg, logger)
	}
	return connect(ctx, cfg, logger)
}

func startMember(ctx context.Context, cfg config.Config, logger *slog.Logger) (*etcd, error) {
	member, err := embeddedetcd.Start(ctx, embeddedetcd.Config{
		DataDir: cfg.DataDir, ListenClientURL: cfg.EtcdListenClient, ListenPeerURL: cfg.EtcdListenPeer,
		ClusterToken: cfg.EtcdClusterToken, QuotaBytes: cfg.EtcdQuotaBytes, CompactionRetention: cfg.EtcdRetention,
		Logger: logging.ForEtcd(logger),
	})
	if err != nil {
		return nil, adviseFlags(err)
	}
	return &etcd{
		client: member.Client(), watchClient: member.Client(), urls: member.ClientURL(),
		died: member.Err(), close: member.Close,
	}, nil
}

// adviseFlags adds to an error of embeddedetcd the flags by which the operator can
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

// connect makes the clients of an external cluster. Whether it is there, the
// store finds out.
func connect(ctx context.Context, cfg config.Config, logger *slog.Logger) (*etcd, error) {
	settings, err := clientSettings(ctx, cfg, logger)
	if err != nil {
		return nil, err
	}
	urls := strings.Join(cfg.EtcdEndpoints, ",")
	var clients []*clientv3.Client
	closeAll := func() error {
		for _, c := range clients {
			_ = c.Close() // always says "context canceled"
		}
		return nil
	}
	for range 2 {
		c, err := clientv3.New(settings) // waits for etcd where there is a user to log in
		if errors.Is(err, context.DeadlineExceeded) {
			err = noAnswer(cfg, urls, err)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("connect to etcd: %w", err), closeAll())
		}
		clients = append(clients, c)
	}
	return &etcd{client: clients[0], watchClient: clients[1], urls: urls, close: closeAll}, nil
}

// noAnswer is the error of a start that waited for etcd in vain.
func noAnswer(cfg config.Config, urls string, last error) error {
	return fmt.Errorf("etcd at %s: %w: no answer within %s (--etcd-dial-timeout): %s", urls, runtime.ErrUnavailable, cfg.EtcdDialTimeout, last.Error())
}

func clientSettings(ctx context.Context, cfg config.Config, logger *slog.Logger) (clientv3.Config, error) {
	secure, err := clientTLS(cfg)
	if err != nil {
		return clientv3.Config{}, err
	}
	password, err := passwordOf(cfg)
	if err != nil {
		return clientv3.Config{}, err
	}
	return clientv3.Config{
		// Its context outlives the start that ctx may be bounded for: Close ends it.
		Context:   context.WithoutCancel(ctx),
		Endpoints: cfg.EtcdEndpoints, TLS: secure, Username: cfg.EtcdUser, Password: password,
		DialTimeout: cfg.EtcdDialTimeout,
		// A peer that vanished without a word is noticed; servers refuse pings that
		// come more often than every 5 s.
		DialKeepAliveTime: 30 * time.Second, DialKeepAliveTimeout: 10 * time.Second,
		// The store repeats requests itself, and knows which may be.
		MaxUnaryRetries: 1,
		Logger:          logging.ForEtcd(logger),
	}, nil
}

// clientTLS returns nil where nothing asks for TLS. An https endpoint does, and
// is then checked against the machine's own authorities if no other is given.
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

func passwordOf(cfg config.Config) (string, error) {
	if cfg.EtcdPasswordFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(cfg.EtcdPasswordFile)
	if err != nil {
		return "", fmt.Errorf("--etcd-password-file: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}
