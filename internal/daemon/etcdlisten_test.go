package daemon_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/testkit/certtest"
)

// With authentication, the embedded etcd listens on sockets: a port would let every program
// of the machine change the records. etcdctl and backups use the socket.
func TestEmbeddedEtcdHasNoPortWithAuthentication(t *testing.T) {
	t.Parallel()
	ca := certtest.NewAuthority(t, "ca")
	cfg := newSettings(t)
	cfg.Engine, cfg.EtcdListenClient = config.EngineNone, ""
	withCertificate(t, &cfg, ca, ca.IssueNode(t, "eu/n1"))
	d := start(t, cfg).asAdmin(t, newAdmin(t, ca))
	socket := filepath.Join(cfg.DataDir, "run", "etcd.sock")
	require.Equal(t, "unix://"+socket, d.Etcd)
	require.NoError(t, d.client.Upsert(t.Context(), record("game")))

	etcdctl, err := clientv3.New(clientv3.Config{Endpoints: []string{d.Etcd}, Logger: zap.NewNop()})
	require.NoError(t, err)
	defer etcdctl.Close()
	found, err := etcdctl.Get(t.Context(), "/runtimes/game")
	require.NoError(t, err)
	require.Len(t, found.Kvs, 1)
	members, err := etcdctl.MemberList(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{d.Etcd}, members.Members[0].ClientURLs)
	require.FileExists(t, filepath.Join(cfg.DataDir, "run", "peer.sock"))

	backup := config.Default()
	backup.EtcdEndpoints = []string{d.Etcd}
	file := filepath.Join(t.TempDir(), "snapshot")
	saveBackup(t, backup, file)
	require.NoError(t, d.stop())
	require.NoFileExists(t, socket)

	cfg.TLSCert, cfg.TLSKey, cfg.TLSClientCA, cfg.EtcdListenClient = "", "", "", "http://127.0.0.1:0"
	plain := start(t, cfg)
	_, err = plain.client.Get(t.Context(), "game")
	require.NoError(t, err, "the same data without authentication")
}
