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
	"galaxy/rtmanager/internal/filelock"
)

// requireField fails unless err is a *ConfigError of the field.
func requireField(t *testing.T, err error, field string) {
	t.Helper()
	var invalid *embeddedetcd.ConfigError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, field, invalid.Field)
}

func TestASecondMemberOnTheDirectoryFails(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	start(t, cfg)
	err := startError(t, cfg)
	requireField(t, err, embeddedetcd.FieldDataDir)
	require.ErrorIs(t, err, filelock.ErrLocked)
	require.EqualError(t, err, fmt.Sprintf("data directory %s is in use: %s is locked by process %d",
		cfg.DataDir, filepath.Join(cfg.DataDir, "lock"), os.Getpid()))
}

func TestADirectoryOfAnotherClusterFails(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	require.NoError(t, start(t, cfg).Close())

	other := cfg
	other.ClusterToken = "other"
	err := startError(t, other)
	requireField(t, err, embeddedetcd.FieldClusterToken)
	require.EqualError(t, err, fmt.Sprintf(`data directory %s belongs to cluster "rtmanager", not "other"`, cfg.DataDir))
	start(t, cfg)
}

func TestDataOfAnotherProgramFails(t *testing.T) {
	t.Parallel()
	t.Run("etcd data without cluster.json", func(t *testing.T) {
		t.Parallel()
		cfg := config(t.TempDir())
		require.NoError(t, os.MkdirAll(filepath.Join(cfg.DataDir, "etcd", "member"), 0o700))
		err := startError(t, cfg)
		require.ErrorContains(t, err, cfg.DataDir)
		require.ErrorContains(t, err, "contains etcd data but no cluster.json")
	})
	t.Run("unreadable cluster.json", func(t *testing.T) {
		t.Parallel()
		cfg := config(t.TempDir())
		require.NoError(t, os.WriteFile(filepath.Join(cfg.DataDir, "cluster.json"), []byte("{"), 0o600))
		err := startError(t, cfg)
		require.ErrorContains(t, err, cfg.DataDir)
		require.ErrorContains(t, err, "cluster.json does not contain a cluster_token")
	})
}

func TestUnusableDirectoriesFail(t *testing.T) {
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
			err := startError(t, config(c.dir))
			require.ErrorContains(t, err, "data directory "+c.dir+" cannot be used")
			require.ErrorContains(t, err, c.reason)
			requireField(t, err, embeddedetcd.FieldDataDir)
		})
	}
}

func TestAPortInUseFails(t *testing.T) {
	t.Parallel()
	used, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer used.Close()
	address := used.Addr().String()

	for field, set := range map[string]func(*embeddedetcd.Config){
		embeddedetcd.FieldListenClientURL: func(c *embeddedetcd.Config) { c.ListenClientURL = "http://" + address },
		embeddedetcd.FieldListenPeerURL:   func(c *embeddedetcd.Config) { c.ListenPeerURL = "http://" + address },
	} {
		cfg := config(t.TempDir())
		set(&cfg)
		err := startError(t, cfg)
		require.ErrorContains(t, err, "cannot listen on "+address)
		require.ErrorContains(t, err, "address already in use")
		requireField(t, err, field)
		start(t, config(cfg.DataDir)) // the failed start has unlocked the directory
	}
}

func TestAllInvalidSettingsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	err := startError(t, embeddedetcd.Config{
		ListenClientURL: "http://0.0.0.0:2379", ListenPeerURL: "127.0.0.1", QuotaBytes: -1,
		CompactionRetention: -time.Second, TickInterval: time.Second, ElectionTimeout: time.Second, StopTimeout: -1,
	})
	for _, part := range []string{
		"a data directory is required", `client URL "http://0.0.0.0:2379" can be reached from other machines`,
		`peer URL "127.0.0.1" must be http://HOST:PORT`,
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
		err := startError(t, cfg)
		requireField(t, err, embeddedetcd.FieldListenClientURL)
		require.ErrorContains(t, err, fmt.Sprintf("client URL %q", bad))
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
