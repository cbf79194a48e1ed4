package embeddedetcd_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
)

func TestSecondMemberOnTheDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	start(t, cfg)
	require.EqualError(t, refused(t, cfg), fmt.Sprintf(
		"data directory %s is in use by process %d; stop it or use another --data-dir", cfg.DataDir, os.Getpid()))
}

func TestDirectoryOfAnotherClusterIsRefused(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	require.NoError(t, start(t, cfg).Close())

	other := cfg
	other.ClusterToken = "elsewhere"
	require.EqualError(t, refused(t, other), fmt.Sprintf(
		`data directory %s belongs to cluster "rtmanager", not "elsewhere"; use --etcd-cluster-token rtmanager or another --data-dir`, cfg.DataDir))
	start(t, cfg)
}

func TestForeignDataIsRefused(t *testing.T) {
	t.Parallel()
	t.Run("etcd data without cluster.json", func(t *testing.T) {
		t.Parallel()
		cfg := config(t.TempDir())
		require.NoError(t, os.MkdirAll(filepath.Join(cfg.DataDir, "etcd", "member"), 0o700))
		err := refused(t, cfg)
		require.ErrorContains(t, err, cfg.DataDir)
		require.ErrorContains(t, err, "holds etcd data but no cluster.json")
	})
	t.Run("unreadable cluster.json", func(t *testing.T) {
		t.Parallel()
		cfg := config(t.TempDir())
		require.NoError(t, os.WriteFile(filepath.Join(cfg.DataDir, "cluster.json"), []byte("{"), 0o600))
		err := refused(t, cfg)
		require.ErrorContains(t, err, cfg.DataDir)
		require.ErrorContains(t, err, "cluster.json does not name a cluster_token")
	})
}

func TestUnusableDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	occupied := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(occupied, "lock"), 0o700))

	for name, c := range map[string]struct{ dir, reason string }{
		"below a file":      {filepath.Join(file, "data"), "not a directory"},
		"a file":            {file, "not a directory"},
		"lock not writable": {occupied, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := refused(t, config(c.dir))
			require.ErrorContains(t, err, "data directory "+c.dir+" cannot be used")
			require.ErrorContains(t, err, c.reason)
			require.ErrorContains(t, err, "--data-dir")
		})
	}
}

func TestTakenPortIsNamedWithItsFlag(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	address := taken.Addr().String()

	for flag, set := range map[string]func(*embeddedetcd.Config){
		"--etcd-listen-client": func(c *embeddedetcd.Config) { c.ListenClientURL = "http://" + address },
		"--etcd-listen-peer":   func(c *embeddedetcd.Config) { c.ListenPeerURL = "http://" + address },
	} {
		cfg := config(t.TempDir())
		set(&cfg)
		err := refused(t, cfg)
		require.ErrorContains(t, err, "cannot listen on "+address)
		require.ErrorContains(t, err, "address already in use")
		require.ErrorContains(t, err, flag)
		start(t, config(cfg.DataDir)) // the refusal left the directory free
	}
}

func TestSettingsThatCannotWorkAreRefusedTogether(t *testing.T) {
	t.Parallel()
	err := refused(t, embeddedetcd.Config{
		ListenClientURL: "http://0.0.0.0:2379", ListenPeerURL: "127.0.0.1", QuotaBytes: -1,
		CompactionRetention: -time.Second, TickInterval: time.Second, ElectionTimeout: time.Second, StopTimeout: -1,
	})
	for _, part := range []string{
		"--data-dir", `--etcd-listen-client "http://0.0.0.0:2379" listens beyond this machine`,
		`--etcd-listen-peer "127.0.0.1" must be http://HOST:PORT`,
		"quota", "retention", "election", "timeouts",
	} {
		require.ErrorContains(t, err, part)
	}
}

func TestListenURLs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"https://127.0.0.1:0", "http://127.0.0.1", "http://127.0.0.1:99999", "http://192.0.2.1:0", "http://example.com:0",
		"http://127.0.0.1:0/path", "http://user@127.0.0.1:0", "http://:0", "://", "http://[::]:0",
	} {
		cfg := config(t.TempDir())
		cfg.ListenClientURL = bad
		require.ErrorContains(t, refused(t, cfg), "--etcd-listen-client", "listen on %q", bad)
	}
	cfg := config(t.TempDir())
	cfg.ListenClientURL = "http://localhost:0"
	start(t, cfg)
}

func TestDirectoriesArePrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "parent", "data")
	start(t, config(dir))
	for _, path := range []string{dir, filepath.Join(dir, "etcd")} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), path)
	}
}
