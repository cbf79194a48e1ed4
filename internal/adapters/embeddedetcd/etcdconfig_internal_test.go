package embeddedetcd

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/server/v3/features"
)

// Operators rely on these values.
func TestEtcdConfig(t *testing.T) {
	t.Parallel()
	data := dataDir{path: "/data", cluster: clusterInfo{Token: "token", PeerURL: "http://127.0.0.1:4000"}}
	at, err := findAddresses(t.Context(), Config{ListenClientURL: "http://127.0.0.1:0", ListenPeerURL: "http://127.0.0.1:0"})
	require.NoError(t, err)
	e, err := newEtcdConfig(t.Context(), Config{DataDir: "/data"}.withDefaults(), data, at, newGate())
	require.NoError(t, err)
	require.NoError(t, e.Validate())

	require.False(t, e.UnsafeNoFsync, "an acknowledged write must be on disk")
	require.EqualValues(t, 8<<30, e.QuotaBackendBytes)
	require.Equal(t, "periodic", e.AutoCompactionMode)
	require.Equal(t, "10m0s", e.AutoCompactionRetention)
	require.Equal(t, 5*time.Second, e.WatchProgressNotifyInterval)
	require.True(t, e.ServerFeatureGate.Enabled(features.InitialCorruptCheck))
	require.True(t, e.ServerFeatureGate.Enabled(features.CompactHashCheck))
	require.Equal(t, 12*time.Hour, e.CorruptCheckTime)
	require.False(t, e.EnableGRPCGateway)
	require.False(t, e.EnablePprof)
	require.EqualValues(t, 4096, e.MaxConcurrentStreams)
	require.EqualValues(t, 128, e.MaxTxnOps)
	require.EqualValues(t, 1.5*1024*1024, e.MaxRequestBytes)
	require.EqualValues(t, 100, e.TickMs)
	require.EqualValues(t, 500, e.ElectionMs)
	require.NotContains(t, e.HostWhitelist, "*")
	require.NotEmpty(t, e.HostWhitelist, "an empty set allows every host")
	require.NotContains(t, e.CORS, "*")
	require.NotEmpty(t, e.CORS, "an empty set allows every origin")

	require.Equal(t, "/data/etcd", e.Dir)
	require.Equal(t, "token", e.InitialClusterToken)
	require.Equal(t, "http://127.0.0.1:4000", e.AdvertisePeerUrls[0].String(), "the recorded URL, also if the member listens on another address now")
	require.Equal(t, e.ListenClientUrls, e.AdvertiseClientUrls)
	require.NotEqual(t, "0", e.AdvertiseClientUrls[0].Port())
}
