package backup_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/backup"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/filelock"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

func TestMain(m *testing.M) {
	// Connections between members of an etcd end with a timeout of 5 s after it was closed.
	os.Exit(etcdtest.Main(m, goleak.IgnoreAnyFunction("net/http.(*conn).serve"), goleak.IgnoreAnyFunction("net/http.(*connReader).backgroundRead"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop")))
}

func record(gameID string) runtime.RuntimeRecord {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return runtime.RuntimeRecord{
		GameID: gameID, Status: runtime.StatusRunning, Region: "eu", Node: "eu-1", CurrentContainerID: "c-" + gameID,
		CurrentImageRef: "image:1", EngineEndpoint: "http://game:8080", StatePath: "/state", DockerNetwork: "net",
		CreatedAt: at, LastOpAt: at, StartedAt: &at,
	}
}

// openStore returns a store without a cache, which is closed when the test ends.
func openStore(t *testing.T, client *clientv3.Client, prefix string) *etcdstore.Store {
	t.Helper()
	store, err := etcdstore.Open(t.Context(), client, etcdstore.Options{Prefix: prefix, NoCache: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// insert writes records of games to the store.
func insert(t *testing.T, store *etcdstore.Store, games ...string) {
	t.Helper()
	for _, gameID := range games {
		require.NoError(t, store.Upsert(t.Context(), record(gameID)))
	}
}

// save saves a backup of the etcd.
func save(t *testing.T, client *clientv3.Client) (file string, manifest backup.Manifest) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "b.snapshot")
	manifest, err := backup.Save(t.Context(), client, file, backup.SaveOptions{Version: "test"})
	require.NoError(t, err)
	return file, manifest
}

// startMember starts an embedded member on a restored directory.
func startMember(t *testing.T, dir string) *clientv3.Client {
	t.Helper()
	member, err := embeddedetcd.Start(t.Context(), embeddedetcd.Config{DataDir: dir, ListenClientURL: "http://127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, member.Close()) })
	return member.Client()
}

func TestSaveReportsWhatTheCopyContains(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	insert(t, openStore(t, server.Client(), ""), "a", "b")
	insert(t, openStore(t, server.Client(), "/eu"), "c")
	file, manifest := save(t, server.Client())
	require.Equal(t, 3, manifest.Records())
	require.Zero(t, manifest.Findings())
	require.Equal(t, []backup.StoreReport{
		{Prefix: "", Records: 2, IndexKeys: 2, LedgerEntries: 2}, {Prefix: "/eu", Records: 1, IndexKeys: 1, LedgerEntries: 1},
	}, manifest.Stores)
	head, err := server.Client().Get(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, head.Header.GetRevision(), manifest.Revision)
	require.Equal(t, fmt.Sprintf("%x", head.Header.GetClusterId()), manifest.ClusterID)

	verified, checked, err := backup.Verify(t.Context(), file)
	require.NoError(t, err)
	require.Equal(t, manifest, verified)
	require.Len(t, checked, 2)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*"))
	require.NoError(t, err)
	require.Equal(t, []string{file, file + ".json"}, files)
	_, err = backup.Save(t.Context(), server.Client(), file, backup.SaveOptions{})
	require.ErrorContains(t, err, "exists already")
}

// An inconsistent store is saved, since its backup is better than none, and reported.
func TestSaveReportsInconsistencies(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	insert(t, openStore(t, server.Client(), ""), "a")
	_, err := server.Client().Delete(t.Context(), "/runtimes-by-status/", clientv3.WithPrefix())
	require.NoError(t, err)
	_, manifest := save(t, server.Client())
	require.Equal(t, 1, manifest.Findings())
}

func TestCorruptedBackupsAreRejected(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	insert(t, openStore(t, server.Client(), ""), "a")
	file, _ := save(t, server.Client())
	server.Stop()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	manifest, err := os.ReadFile(backup.ManifestFile(file))
	require.NoError(t, err)
	changed := bytes.Clone(content)
	changed[len(changed)/2] ^= 1

	for name, c := range map[string]struct {
		content, manifest []byte
		expected          string
	}{
		"empty":                  {nil, nil, "cut short, or no snapshot"},
		"cut short":              {content[:len(content)-100], nil, "cut short, or no snapshot"},
		"cut at a page":          {content[:len(content)-4096], nil, "cut short or was changed"},
		"one bit":                {changed, nil, "does not match its checksum"},
		"another backup":         {content, bytes.Replace(manifest, []byte(`"sha256": "`), []byte(`"sha256": "0`), 1), "is not the file that its manifest"},
		"manifest is no JSON":    {content, []byte("{"), "is not the manifest of a backup"},
		"manifest of the future": {content, bytes.Replace(manifest, []byte(`"format": 1`), []byte(`"format": 2`), 1), "newer than this version's 1"},
		"no etcd":                {append(bytes.Repeat([]byte{1}, 4096), sha256Of(bytes.Repeat([]byte{1}, 4096))...), nil, "cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			corrupted, dir := filepath.Join(t.TempDir(), "b"), filepath.Join(t.TempDir(), "data")
			require.NoError(t, os.WriteFile(corrupted, c.content, 0o600))
			if c.manifest != nil {
				require.NoError(t, os.WriteFile(backup.ManifestFile(corrupted), c.manifest, 0o600))
			}
			var invalid *backup.InvalidError
			_, _, err := backup.Verify(t.Context(), corrupted)
			require.ErrorAs(t, err, &invalid)
			require.ErrorContains(t, err, c.expected)
			_, err = backup.Restore(t.Context(), corrupted, backup.RestoreOptions{DataDir: dir})
			require.ErrorAs(t, err, &invalid)
			require.NoDirExists(t, dir)
		})
	}
}

// A restored store rejects what was computed before: fences, and the bases of writes.
func TestRestoredStoreRejectsWritersOfBefore(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	store := openStore(t, server.Client(), "")
	insert(t, store, "a", "b")
	before, err := store.GetVersioned(t.Context(), "a")
	require.NoError(t, err)
	nodes, err := etcdmembers.New(server.Client(), etcdmembers.Options{LeaseTTL: time.Minute}).Join(t.Context(), node.Node{Region: "eu", Name: "eu-1", Identity: "i"})
	require.NoError(t, err)
	fence, isPresent := nodes.Fence()
	require.True(t, isPresent)
	file, manifest := save(t, server.Client())
	insert(t, store, "after")
	info, err := store.Info(t.Context())
	require.NoError(t, err)
	require.NoError(t, nodes.Close())
	server.Stop()

	dir := filepath.Join(t.TempDir(), "data")
	result, err := backup.Restore(t.Context(), file, backup.RestoreOptions{DataDir: dir})
	require.NoError(t, err)
	require.Greater(t, result.Revision, manifest.Revision+1_000_000_000)
	client := startMember(t, dir)
	restored := openStore(t, client, "")
	require.Equal(t, store.ID(), restored.ID(), "nodes find their containers by the identity of the store")
	require.NotEqual(t, store.ClusterID(), restored.ClusterID(), "clients of before notice another cluster")
	require.Equal(t, result.ClusterID, restored.ClusterID())

	after, err := restored.GetVersioned(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, before.Record, after.Record)
	require.Greater(t, after.Revision, info.Revision+1_000_000, "no revision of before is that of a record")
	_, err = restored.Transition(t.Context(), ports.TransitionInput{
		UpdateStatusInput: ports.UpdateStatusInput{GameID: "a", ExpectedFrom: runtime.StatusRunning, To: runtime.StatusStopped, Now: time.Now()},
		Fence:             &fence,
	})
	require.ErrorIs(t, err, runtime.ErrFenced)
	present, err := client.Get(t.Context(), "/nodes/", clientv3.WithPrefix())
	require.NoError(t, err)
	require.Empty(t, present.Kvs)
	leases, err := client.Leases(t.Context())
	require.NoError(t, err)
	require.Empty(t, leases.Leases)
	report, err := restored.Check(t.Context(), false)
	require.NoError(t, err)
	require.True(t, report.IsClean(), report)
	require.Equal(t, 2, report.Records)
	_, err = client.Get(t.Context(), "/", clientv3.WithRev(info.Revision), clientv3.WithFromKey())
	require.ErrorContains(t, err, "compacted")
}

// A second restore of the same backup issues no revision of the first one.
func TestRevisionsOfTwoRestoresDiffer(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	insert(t, openStore(t, server.Client(), ""), "a")
	file, _ := save(t, server.Client())
	server.Stop()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	restoreAt := func(at time.Time) int64 {
		result, err := backup.Restore(t.Context(), file, backup.RestoreOptions{DataDir: filepath.Join(t.TempDir(), "data"), Now: func() time.Time { return at }})
		require.NoError(t, err)
		return result.Revision
	}
	require.GreaterOrEqual(t, restoreAt(now.Add(time.Minute)), restoreAt(now)+600_000)
}

func TestRestoreOverALiveStoreIsRejected(t *testing.T) {
	t.Parallel()
	dir, first := t.TempDir(), filepath.Join(t.TempDir(), "first")
	member, err := embeddedetcd.Start(t.Context(), embeddedetcd.Config{DataDir: first, ListenClientURL: "http://127.0.0.1:0"})
	require.NoError(t, err)
	store, err := etcdstore.Open(t.Context(), member.Client(), etcdstore.Options{NoCache: true})
	require.NoError(t, err)
	file, _ := save(t, member.Client())

	_, err = backup.Restore(t.Context(), file, backup.RestoreOptions{DataDir: dir})
	var live *backup.LiveError
	require.ErrorAs(t, err, &live)
	require.ErrorContains(t, err, "at "+member.ClientURL()+" still responds; stop the daemons")
	_, err = backup.Restore(t.Context(), file, backup.RestoreOptions{DataDir: first})
	var invalid *embeddedetcd.ConfigError
	require.ErrorAs(t, err, &invalid, "the directory has content")

	_, err = backup.Restore(t.Context(), file, backup.RestoreOptions{DataDir: dir, IgnoreLive: true})
	require.NoError(t, err)
	require.NoError(t, store.Close())
	require.NoError(t, member.Close())
	_, err = backup.Restore(t.Context(), file, backup.RestoreOptions{DataDir: filepath.Join(t.TempDir(), "data")})
	require.NoError(t, err)
}

// An etcd with users keeps them; the copy needs none.
func TestBackupOfAnEtcdWithUsers(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	insert(t, openStore(t, server.Client(), ""), "a")
	client := server.Client()
	_, err := client.UserAdd(t.Context(), "root", "secret")
	require.NoError(t, err)
	_, err = client.UserGrantRole(t.Context(), "root", "root")
	require.NoError(t, err)
	_, err = client.AuthEnable(t.Context())
	require.NoError(t, err)
	root, err := clientv3.New(clientv3.Config{Endpoints: []string{server.Endpoint()}, Username: "root", Password: "secret", Logger: zap.NewNop()})
	require.NoError(t, err)
	defer root.Close()
	file, manifest := save(t, root)
	require.Equal(t, 1, manifest.Records())
	server.Stop()

	dir := filepath.Join(t.TempDir(), "data")
	_, err = backup.Restore(t.Context(), file, backup.RestoreOptions{DataDir: dir})
	require.NoError(t, err)
	wasOn, err := embeddedetcd.SetAuthentication(dir, false)
	require.NoError(t, err)
	require.True(t, wasOn)
}

func TestInterruptedRestoreLeavesNothing(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	insert(t, openStore(t, server.Client(), ""), "a")
	file, _ := save(t, server.Client())
	server.Stop()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := filepath.Join(t.TempDir(), "data")
	_, err := backup.Restore(ctx, file, backup.RestoreOptions{DataDir: dir})
	require.ErrorIs(t, err, context.Canceled)
	require.NoDirExists(t, dir)
}

// An https address of a member that responds, but cannot be identified, counts as the member.
func TestUnidentifiedProgramAtTheAddressOfAMember(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := url.URL{Scheme: "https", Host: listener.Addr().String()}
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	server := etcdtest.Start(t, func(cfg *embed.Config) { cfg.AdvertiseClientUrls = []url.URL{address} })
	insert(t, openStore(t, server.Client(), ""), "a")
	file, _ := save(t, server.Client())
	server.Stop()
	dir := filepath.Join(t.TempDir(), "data")
	_, err = backup.Restore(t.Context(), file, backup.RestoreOptions{DataDir: dir})
	var live *backup.LiveError
	require.ErrorAs(t, err, &live)
	require.NoError(t, listener.Close())
	<-accepted
	_, err = backup.Restore(t.Context(), file, backup.RestoreOptions{DataDir: dir})
	require.NoError(t, err)
}

// The copies of processes that were killed are removed by the next one.
func TestStaleCopiesAreRemoved(t *testing.T) {
	parent := t.TempDir()
	t.Setenv("TMPDIR", parent)
	stale, used := filepath.Join(parent, "rtmanager-backup-1"), filepath.Join(parent, "rtmanager-backup-2")
	for _, dir := range []string{stale, used} {
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "copy.lock"), nil, 0o600))
	}
	lock, err := filelock.Acquire(filepath.Join(used, "copy.lock"), 0)
	require.NoError(t, err)
	server := etcdtest.Start(t)
	insert(t, openStore(t, server.Client(), ""), "a")
	target := t.TempDir() // of another program, which a link of another user names
	require.NoError(t, os.WriteFile(filepath.Join(target, "copy.lock"), []byte("content"), 0o600))
	require.NoError(t, os.Symlink(target, filepath.Join(parent, "rtmanager-backup-3")))
	save(t, server.Client())
	require.Equal(t, []string{"rtmanager-backup-2", "rtmanager-backup-3"}, names(t, parent))
	content, err := os.ReadFile(filepath.Join(target, "copy.lock"))
	require.NoError(t, err)
	require.Equal(t, "content", string(content))
	require.NoError(t, lock.Release())
}

// Another user of the directory can neither redirect the backup nor read it.
func TestSaveUsesNoFileThatExists(t *testing.T) {
	t.Parallel()
	server, dir := etcdtest.Start(t), t.TempDir()
	insert(t, openStore(t, server.Client(), ""), "a")
	target, file := filepath.Join(t.TempDir(), "target"), filepath.Join(dir, "b.snapshot")
	require.NoError(t, os.WriteFile(target, []byte("content"), 0o600))
	require.NoError(t, os.Symlink(target, file+".part"))
	require.NoError(t, os.Symlink(target, file+".json.new"))
	_, err := backup.Save(t.Context(), server.Client(), file, backup.SaveOptions{})
	require.NoError(t, err)
	content, err := os.ReadFile(target)
	require.NoError(t, err)
	require.Equal(t, "content", string(content))
	for _, name := range []string{file, backup.ManifestFile(file)} {
		info, err := os.Lstat(name)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode())
	}
}

func TestConcurrentSavesToOneFile(t *testing.T) {
	t.Parallel()
	server, file := etcdtest.Start(t), filepath.Join(t.TempDir(), "b.snapshot")
	insert(t, openStore(t, server.Client(), ""), "a")
	var saved atomic.Int64
	var saves sync.WaitGroup
	for range 3 {
		saves.Go(func() {
			if _, err := backup.Save(t.Context(), server.Client(), file, backup.SaveOptions{}); err == nil {
				saved.Add(1)
			}
		})
	}
	saves.Wait()
	require.EqualValues(t, 1, saved.Load())
	_, _, err := backup.Verify(t.Context(), file)
	require.NoError(t, err)
	require.Equal(t, []string{"b.snapshot", "b.snapshot.json"}, names(t, filepath.Dir(file)))
}

// A copy of a store that changes all the time is consistent.
func TestSaveWhileRecordsChange(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	store := openStore(t, server.Client(), "")
	games := []string{"a", "b", "c", "d"}
	insert(t, store, games...)
	ctx, cancel := context.WithCancel(t.Context())
	var writers errgroup.Group
	var writes atomic.Int64
	for _, gameID := range games {
		writers.Go(func() error {
			from, to := runtime.StatusRunning, runtime.StatusStopped
			for ctx.Err() == nil {
				err := store.UpdateStatus(t.Context(), ports.UpdateStatusInput{GameID: gameID, ExpectedFrom: from, To: to, Now: time.Now()})
				if err != nil {
					return err
				}
				from, to = to, from
				writes.Add(1)
			}
			return nil
		})
	}
	for range 3 {
		before := writes.Load()
		_, manifest := save(t, server.Client())
		require.Zero(t, manifest.Findings(), manifest)
		require.Equal(t, len(games), manifest.Records())
		require.Eventually(t, func() bool { return writes.Load() > before }, time.Minute, time.Millisecond)
	}
	cancel()
	require.NoError(t, writers.Wait())
}
