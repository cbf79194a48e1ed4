package backup_test

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/backup"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/tcptest"
)

func sha256Of(content []byte) []byte {
	sum := sha256.Sum256(content)
	return sum[:]
}

// A backup becomes an external etcd of three members, which have the same content.
func TestRestoreOfThreeMembers(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	insert(t, openStore(t, server.Client(), "/eu"), "a", "b")
	file, _ := save(t, server.Client())
	server.Stop()

	var members []backup.Member
	var cluster []string
	dir := t.TempDir()
	for _, name := range []string{"etcd-1", "etcd-2", "etcd-3"} {
		m := backup.Member{Name: name, PeerURL: fmt.Sprintf("http://127.0.0.1:%d", tcptest.UnusedPort(t)), Dir: filepath.Join(dir, name)}
		members, cluster = append(members, m), append(cluster, name+"="+m.PeerURL)
	}
	result, err := backup.Restore(t.Context(), file, backup.RestoreOptions{Members: members})
	require.NoError(t, err)
	_, err = backup.Restore(t.Context(), file, backup.RestoreOptions{Members: members})
	require.ErrorContains(t, err, "is not empty")

	var clients []*clientv3.Client
	started := make([]*embed.Etcd, len(members))
	for i, m := range members {
		started[i] = startRestored(t, m, strings.Join(cluster, ","))
	}
	for i := range members {
		<-started[i].Server.ReadyNotify()
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{"http://" + started[i].Clients[0].Addr().String()}, DialTimeout: time.Minute})
		require.NoError(t, err)
		t.Cleanup(func() { _ = client.Close() })
		clients = append(clients, client)
	}
	store := openStore(t, clients[0], "/eu")
	require.Equal(t, result.ClusterID, store.ClusterID())
	insert(t, store, "c")
	revision, err := store.Revision(t.Context())
	require.NoError(t, err)
	var hashes []uint32
	for _, client := range clients {
		require.NoError(t, func() error { _, err := client.Get(t.Context(), "x"); return err }())
		hash, err := client.HashKV(t.Context(), client.Endpoints()[0], revision)
		require.NoError(t, err)
		hashes = append(hashes, hash.Hash)
	}
	require.Equal(t, []uint32{hashes[0], hashes[0], hashes[0]}, hashes)
	report, err := openStore(t, clients[2], "/eu").Check(t.Context(), false)
	require.NoError(t, err)
	require.True(t, report.IsClean())
	require.Equal(t, 3, report.Records)
}

// startRestored starts an etcd on a restored data directory, as its operator does.
func startRestored(t *testing.T, m backup.Member, cluster string) *embed.Etcd {
	t.Helper()
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir, cfg.InitialCluster = m.Name, m.Dir, cluster
	peer, err := url.Parse(m.PeerURL)
	require.NoError(t, err)
	client := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.UnsafeNoFsync = true
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	etcd, err := embed.StartEtcd(cfg)
	require.NoError(t, err)
	t.Cleanup(etcd.Close)
	return etcd
}
