package daemon_test

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/daemon"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// saveSnapshot saves a snapshot of a daemon with the given games.
func saveSnapshot(t *testing.T, games ...string) (file string, info ports.StoreInfo) {
	t.Helper()
	cfg := newSettings(t)
	d := start(t, cfg)
	for _, game := range games {
		require.NoError(t, d.client.Upsert(t.Context(), record(game)))
	}
	info, err := d.client.Info(t.Context())
	require.NoError(t, err)
	file = filepath.Join(t.TempDir(), "snapshot")
	cfg.EtcdEndpoints = []string{d.Etcd}
	saveBackup(t, cfg, file)
	_, err = daemon.SaveBackup(t.Context(), cfg, file, "test", slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "exists already")
	require.NoError(t, d.client.Upsert(t.Context(), record("after-the-snapshot")))
	require.NoError(t, d.stop())
	return file, info
}

// saveBackup saves a backup of the etcd of the settings.
func saveBackup(t *testing.T, cfg config.Config, file string) {
	t.Helper()
	manifest, err := daemon.SaveBackup(t.Context(), cfg, file, "test", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Zero(t, manifest.Findings(), manifest)
}

// restore restores a backup into the data directory of the settings.
func restore(t *testing.T, cfg config.Config, file string) error {
	t.Helper()
	_, err := daemon.Restore(t.Context(), cfg, daemon.RestoreRequest{File: file})
	return err
}

// A daemon starts from a restored snapshot on an empty machine. Revisions of before the
// restore are compacted.
func TestRestoreSnapshot(t *testing.T) {
	t.Parallel()
	file, before := saveSnapshot(t, "a", "b")
	revision := before.Revision
	cfg := newSettings(t)
	require.NoError(t, os.WriteFile(filepath.Join(cfg.DataDir, "ballast"), nil, 0o600)) // as an earlier daemon left it
	require.NoError(t, restore(t, cfg, file))
	require.ErrorContains(t, restore(t, cfg, file), "not empty")

	d := start(t, cfg)
	for _, game := range []string{"a", "b"} {
		got, err := d.client.Get(t.Context(), game)
		require.NoError(t, err)
		require.Equal(t, runtime.StatusRunning, got.Status)
	}
	_, err := d.client.Get(t.Context(), "after-the-snapshot")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.NoError(t, d.client.UpdateStatus(t.Context(), stop("a")))
	stopped, err := d.client.GetVersioned(t.Context(), "a")
	require.NoError(t, err)
	require.Greater(t, stopped.Revision, revision+1_000_000_000, "no revision is issued twice")
	restored, err := d.client.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, before.ID, restored.ID, "nodes find their containers by the identity of the store")
	report, err := d.client.Check(t.Context(), false)
	require.NoError(t, err)
	require.True(t, report.IsClean(), report)

	for _, err := range d.client.Watch(t.Context(), ports.WatchOptions{FromRevision: revision}) {
		require.ErrorIs(t, err, runtime.ErrCompacted)
		break
	}

	for event, err := range d.client.Watch(t.Context(), ports.WatchOptions{FromRevision: revision, Resync: true}) {
		require.NoError(t, err)
		require.Equal(t, ports.EventResync, event.Type)
		break
	}
	_, err = d.client.Put(t.Context(), ports.PutInput{Record: record("b"), IfRevision: &revision})
	require.ErrorIs(t, err, runtime.ErrConflict, "a precondition of before")

	require.NoError(t, d.stop())
	restarted := start(t, cfg)
	_, err = restarted.client.Get(t.Context(), "b")
	require.NoError(t, err, "the restored data is kept by a restart")
}

func TestRestoreRejects(t *testing.T) {
	t.Parallel()
	file, _ := saveSnapshot(t, "a")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		snapshot func(t *testing.T) (from string)
		expected string
	}{
		"absent file": {func(*testing.T) string { return "/absent" }, "/absent"},
		"directory":   {func(t *testing.T) string { return t.TempDir() }, "not a file"},
		"part of a snapshot": {func(t *testing.T) string {
			part := filepath.Join(t.TempDir(), "part")
			require.NoError(t, os.WriteFile(part, content[:len(content)/2], 0o600))
			return part
		}, "it is cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, parent, from := newSettings(t), t.TempDir(), c.snapshot(t)
			for _, dir := range []string{parent, filepath.Join(parent, "new", "data")} {
				cfg.DataDir = dir
				before := files(t, parent)
				require.ErrorContains(t, restore(t, cfg, from), c.expected)
				require.Equal(t, before, files(t, parent), "a failed restore leaves nothing")
				require.NoError(t, restore(t, cfg, file), "it can be repeated")
			}
		})
	}
}

// files returns the paths below the directory.
func files(t *testing.T, dir string) (paths []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	}))
	return paths
}

func TestRestoreRejectsADirectoryWithContent(t *testing.T) {
	t.Parallel()
	file, _ := saveSnapshot(t, "a")
	cfg := newSettings(t)
	require.NoError(t, os.WriteFile(filepath.Join(cfg.DataDir, "letter"), nil, 0o600))
	before := files(t, cfg.DataDir)
	require.ErrorContains(t, restore(t, cfg, file), "letter")
	require.Equal(t, before, files(t, cfg.DataDir))
}

// A daemon does not start on a part of a store, and the restore can be repeated.
func TestInterruptedRestore(t *testing.T) {
	t.Parallel()
	file, before := saveSnapshot(t, "a")
	cfg := newSettings(t)
	require.NoError(t, os.MkdirAll(filepath.Join(cfg.DataDir, "etcd.restore", "member", "snap"), 0o700))
	var corrupt *embeddedetcd.CorruptDataError
	err := startError(t, cfg)
	require.ErrorAs(t, err, &corrupt)
	require.ErrorContains(t, err, "a restore was interrupted; restore a backup")
	require.NoError(t, restore(t, cfg, file))
	require.Equal(t, before.ID, start(t, cfg).Store)
}

// An operator may delete only the data of etcd.
func TestRestoreReplacesDeletedData(t *testing.T) {
	t.Parallel()
	file, _ := saveSnapshot(t, "a")
	cfg := newSettings(t)
	require.NoError(t, start(t, cfg).stop())
	require.ErrorContains(t, restore(t, cfg, file), "not empty")
	require.NoError(t, os.RemoveAll(filepath.Join(cfg.DataDir, "etcd")))
	require.NoError(t, restore(t, cfg, file))
	_, err := start(t, cfg).client.Get(t.Context(), "a")
	require.NoError(t, err)
}

// The games of nodes stay where they are when a corrupt store is restored.
func TestRestoreKeepsTheFilesOfNodes(t *testing.T) {
	t.Parallel()
	file, _ := saveSnapshot(t, "a")
	cfg := newSettings(t)
	require.NoError(t, os.MkdirAll(filepath.Join(cfg.DataDir, "nodes", "eu", "eu-1"), 0o700))
	require.NoError(t, restore(t, cfg, file))
	require.DirExists(t, filepath.Join(cfg.DataDir, "nodes", "eu", "eu-1"))
	cfg.EtcdClusterToken = "other"
	var invalid *embeddedetcd.ConfigError
	require.ErrorAs(t, startError(t, cfg), &invalid, "the data belongs to the cluster of the restore")
}
