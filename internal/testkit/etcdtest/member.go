package etcdtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
)

// startTimeout is far longer than the 20 ms of a start, so that a start on a loaded
// machine does not time out.
const startTimeout = 20 * time.Second

// member is one running embedded etcd.
type member struct {
	etcd *embed.Etcd
	// endStreams cancels the streams that clients keep open. Otherwise etcd waits 5 s for
	// them when it stops.
	endStreams context.CancelFunc
}

// defaultConfig returns the config of a server below dir that starts fast, logs nothing and
// does not sync its data.
func defaultConfig(dir string) *embed.Config {
	cfg := embed.NewConfig()
	cfg.BcryptCost = 4 // the least: tests need no strong hashes
	cfg.Name = "etcdtest"
	cfg.Dir = filepath.Join(dir, "etcd")
	cfg.ListenClientUrls = []url.URL{loopbackURL("127.0.0.1:0")}
	cfg.AdvertiseClientUrls = cfg.ListenClientUrls
	cfg.ListenPeerUrls = []url.URL{loopbackURL("127.0.0.1:0")}
	cfg.AdvertisePeerUrls = cfg.ListenPeerUrls
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.TickMs, cfg.ElectionMs = 1, 10
	cfg.UnsafeNoFsync = true
	cfg.EnableGRPCGateway = false
	cfg.WatchProgressNotifyInterval = 100 * time.Millisecond
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	return cfg
}

func loopbackURL(host string) url.URL { return url.URL{Scheme: "http", Host: host} }

// startMember starts a server and waits until it is ready.
func startMember(cfg *embed.Config) (*member, error) {
	streams, endStreams := context.WithCancel(context.Background())
	withStreams := *cfg
	withStreams.GRPCAdditionalServerOptions = append([]grpc.ServerOption{grpc.ChainStreamInterceptor(embeddedetcd.EndStreamsWith(streams))}, cfg.GRPCAdditionalServerOptions...)
	embeddedetcd.SetSegmentSize()
	etcd, err := embed.StartEtcd(&withStreams)
	if err != nil {
		endStreams()
		return nil, err
	}
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case <-etcd.Server.ReadyNotify():
		return &member{etcd: etcd, endStreams: endStreams}, nil
	case err = <-etcd.Err():
	case <-etcd.Server.StopNotify():
		err = errors.New("server stopped by itself")
	case <-timeout.C:
		err = fmt.Errorf("not ready after %v", startTimeout)
	}
	endStreams()
	etcd.Server.Stop() // Close never returns for a server that did not become ready
	etcd.Close()
	return nil, err
}

func (m *member) endpoint() string { return "http://" + m.etcd.Clients[0].Addr().String() }

func (m *member) stop() {
	m.endStreams()
	m.etcd.Close()
}

func newClient(tb testing.TB, endpoint string) *clientv3.Client {
	tb.Helper()
	client, err := clientv3.New(clientv3.Config{
		Endpoints:       []string{endpoint},
		Logger:          zap.NewNop(),
		MaxUnaryRetries: 1,
	})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

func newInProcessClient(tb testing.TB, m *member) *clientv3.Client {
	tb.Helper()
	client, closeAndWait := embeddedetcd.InProcess(m.etcd.Server)
	tb.Cleanup(closeAndWait)
	return client
}
