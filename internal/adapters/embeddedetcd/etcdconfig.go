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

// MemberName is the name of a single member. It is not "default", for which etcd logs a
// warning.
const MemberName = "rtmanager"

// memberName returns the name of the member. It is not part of its identity: etcd publishes it
// at each start.
func (c Config) memberName() string {
	if c.Cluster == nil {
		return MemberName
	}
	return c.Cluster.Name
}

// newEtcdConfig returns the configuration of etcd. A comment gives the reason for each
// value that differs from etcd's default. Client streams end when streams ends, and
// calls pass the gate.
func newEtcdConfig(streams context.Context, cfg Config, data dataDir, at addresses, calls *gate) (*embed.Config, error) {
	recordedPeer, err := url.Parse(data.cluster.PeerURL)
	if err != nil {
		return nil, fmt.Errorf("%s: peer_url %q is not a URL: %w", data.clusterFile(), data.cluster.PeerURL, err)
	}
	e := embed.NewConfig()
	e.Name = cfg.memberName()
	e.Dir = data.etcdDir()
	e.ListenClientUrls, e.AdvertiseClientUrls = []url.URL{at.client}, []url.URL{at.advertisedClient}
	e.ClientTLSInfo, e.PeerTLSInfo = cfg.ClientTLS.info(), cfg.PeerTLS.info()
	// The member's identity contains the peer URL of its first start. A single member
	// never dials it, so the member can listen on another address now.
	e.ListenPeerUrls, e.AdvertisePeerUrls = []url.URL{at.peer}, []url.URL{*recordedPeer}
	if cfg.Cluster != nil {
		e.AdvertisePeerUrls = []url.URL{at.advertisedPeer}
	}
	e.InitialCluster = e.InitialClusterFromName(e.Name)
	e.InitialClusterToken = data.cluster.bootstrapToken()
	if data.initialCluster != "" {
		e.InitialCluster, e.ClusterState = data.initialCluster, embed.ClusterStateFlagExisting
	}

	timing := cfg.timing(data.cluster)
	e.TickMs, e.ElectionMs = uint(timing.Heartbeat.Milliseconds()), uint(timing.Election.Milliseconds())
	// In a cluster of far regions, every linearizable read and every write takes longer than
	// etcd's thresholds, 100 ms and 300 ms, and would be logged.
	if cfg.Cluster != nil {
		e.WarningApplyDuration = max(e.WarningApplyDuration, timing.Election)
		e.WarningUnaryRequestDuration = max(e.WarningUnaryRequestDuration, timing.Election)
	}
	e.UnsafeNoFsync = cfg.IsTemporary
	e.QuotaBackendBytes = cfg.QuotaBytes // etcd: 2 GiB
	e.AutoCompactionMode = embed.CompactorModePeriodic
	e.AutoCompactionRetention = cfg.CompactionRetention.String() // etcd: never
	// For watches of other clients; the store requests progress itself. At etcd's default of
	// 10 min, the last revision that an idle watch knows could already be compacted.
	e.WatchProgressNotifyInterval = 5 * time.Second
	e.MaxConcurrentStreams = 4096 // etcd: no limit
	e.EnableGRPCGateway = false   // a browser could reach this API
	e.HostWhitelist = map[string]struct{}{"localhost": {}, "127.0.0.1": {}, "::1": {}, at.advertisedClient.Hostname(): {}}
	e.CORS = map[string]struct{}{at.advertisedClient.String(): {}} // an empty set would allow every origin

	// etcd does not start on a corrupt database, and members compare their databases.
	gate, ok := e.ServerFeatureGate.(featuregate.MutableFeatureGate)
	if !ok {
		return nil, fmt.Errorf("this etcd's feature gate %T cannot be set", e.ServerFeatureGate)
	}
	// Members of a cluster that start at the same time would wait for each other in the initial
	// check, so a member of a cluster runs it after its start.
	checks := fmt.Sprintf("%s=%t,%s=true", features.InitialCorruptCheck, cfg.Cluster == nil, features.CompactHashCheck)
	if err := gate.Set(checks); err != nil {
		return nil, fmt.Errorf("turn on etcd's corruption checks: %w", err)
	}
	e.CorruptCheckTime = 12 * time.Hour

	e.GRPCAdditionalServerOptions = []grpc.ServerOption{grpc.ChainUnaryInterceptor(calls.interceptUnary), grpc.ChainStreamInterceptor(EndStreamsWith(streams), calls.interceptStream)}
	e.ZapLoggerBuilder = embed.NewZapLoggerBuilder(cfg.Logger)
	return e, nil
}
