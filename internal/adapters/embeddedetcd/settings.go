package embeddedetcd

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"go.etcd.io/etcd/pkg/v3/featuregate"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/features"
	"google.golang.org/grpc"
)

// memberName must not be etcd's "default", which etcd warns of, and must not
// change, since it is part of the bootstrap.
const memberName = "rtmanager"

// settings turns cfg into etcd's own configuration. Where a value differs from
// etcd's default, the line says why. Streams of clients end with open.
func settings(open context.Context, cfg Config, data dataDir, at addresses) (*embed.Config, error) {
	recordedPeer, err := url.Parse(data.cluster.PeerURL)
	if err != nil {
		return nil, fmt.Errorf("%s: peer_url %q is not a URL: %w", data.clusterFile(), data.cluster.PeerURL, err)
	}
	e := embed.NewConfig()
	e.Name = memberName
	e.Dir = data.etcdDir()
	e.ListenClientUrls, e.AdvertiseClientUrls = []url.URL{at.client}, []url.URL{at.client}
	// The member is known to itself under the peer URL of its first start. A
	// single member never dials it, so it may listen elsewhere today.
	e.ListenPeerUrls, e.AdvertisePeerUrls = []url.URL{at.peer}, []url.URL{*recordedPeer}
	e.InitialCluster = e.InitialClusterFromName(e.Name)
	e.InitialClusterToken = data.cluster.Token

	e.TickMs = uint(cfg.TickInterval.Milliseconds())
	e.ElectionMs = uint(cfg.ElectionTimeout.Milliseconds())
	e.QuotaBackendBytes = cfg.QuotaBytes // etcd: 2 GiB
	e.AutoCompactionMode = embed.CompactorModePeriodic
	e.AutoCompactionRetention = cfg.CompactionRetention.String() // etcd: never
	// The store's watches ask for progress themselves. Those that wait for etcd's own
	// notices would age into compaction at its 10 minutes.
	e.WatchProgressNotifyInterval = 5 * time.Second
	e.MaxConcurrentStreams = 4096 // etcd: no limit
	e.EnableGRPCGateway = false   // one way in less that a browser could use
	e.HostWhitelist = map[string]struct{}{"localhost": {}, "127.0.0.1": {}, "::1": {}}
	e.CORS = map[string]struct{}{at.client.String(): {}} // an empty set would allow every origin

	// A damaged database is refused at start, and members compare theirs.
	gate, ok := e.ServerFeatureGate.(featuregate.MutableFeatureGate)
	if !ok {
		return nil, fmt.Errorf("this etcd's feature gate %T cannot be set", e.ServerFeatureGate)
	}
	checks := fmt.Sprintf("%s=true,%s=true", features.InitialCorruptCheck, features.CompactHashCheck)
	if err := gate.Set(checks); err != nil {
		return nil, fmt.Errorf("turn on etcd's corruption checks: %w", err)
	}
	e.CorruptCheckTime = 12 * time.Hour

	e.GRPCAdditionalServerOptions = []grpc.ServerOption{grpc.ChainStreamInterceptor(EndStreamsWith(open))}
	e.ZapLoggerBuilder = embed.NewZapLoggerBuilder(cfg.Logger)
	return e, nil
}
