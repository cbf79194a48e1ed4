package backup_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/backup"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// clock is a time that a test advances.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newSchedule(t *testing.T, client *clientv3.Client, dir, name string, keep int, c *clock) *backup.Schedule {
	t.Helper()
	schedule, err := backup.NewSchedule(client, backup.ScheduleOptions{
		Dir: dir, Interval: time.Hour, Keep: keep, Name: name, Store: "store", Save: backup.SaveOptions{Now: c.Now}, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return schedule
}

// names returns the names of the files in a directory.
func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// A schedule deletes its own oldest backups, and no other file.
func TestScheduleKeepsTheNewest(t *testing.T) {
	t.Parallel()
	server, dir := etcdtest.Start(t), t.TempDir()
	insert(t, openStore(t, server.Client(), ""), "a")
	c := &clock{time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	const byHand = "rtmanager-eu-n1-20200101T000000Z.snapshot" // named as those of the schedule
	_, err := backup.Save(t.Context(), server.Client(), filepath.Join(dir, byHand), backup.SaveOptions{})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rtmanager-eu-n1-20200102T000000Z.snapshot"), []byte("x"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rtmanager-eu-n1-20260101T000000Z.snapshot.part"), []byte("x"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rtmanager-eu-n1-20260101T000000Z.snapshot.123.part"), []byte("x"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.part"), []byte("x"), 0o600))

	first, second := newSchedule(t, server.Client(), dir, "eu/n1", 2, c), newSchedule(t, server.Client(), dir, "us/n1", 1, c)
	for range 3 {
		require.NoError(t, first.Pass(t.Context()))
		require.NoError(t, second.Pass(t.Context()))
		c.now = c.now.Add(time.Hour)
	}
	require.Equal(t, []string{
		"notes.part",
		byHand, byHand + ".json",
		"rtmanager-eu-n1-20200102T000000Z.snapshot",
		"rtmanager-eu-n1-20260101T130000Z.snapshot", "rtmanager-eu-n1-20260101T130000Z.snapshot.json",
		"rtmanager-eu-n1-20260101T140000Z.snapshot", "rtmanager-eu-n1-20260101T140000Z.snapshot.json",
		"rtmanager-us-n1-20260101T140000Z.snapshot", "rtmanager-us-n1-20260101T140000Z.snapshot.json",
	}, names(t, dir))
	stats := first.Stats()
	require.EqualValues(t, 3, stats.Succeeded)
	require.Equal(t, c.now.Add(-time.Hour), stats.Last.CreatedAt)
	require.Equal(t, stats.Last, newSchedule(t, server.Client(), dir, "eu/n1", 2, c).Stats().Last, "a later process continues")
}

// After the clock was set back, the backup that was saved last is the one to keep.
func TestScheduleAfterTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	server, dir := etcdtest.Start(t), t.TempDir()
	insert(t, openStore(t, server.Client(), ""), "a")
	c := &clock{time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)}
	schedule := newSchedule(t, server.Client(), dir, "n", 1, c)
	require.NoError(t, schedule.Pass(t.Context()))
	c.now = c.now.AddDate(-1, 0, 0)
	require.NoError(t, schedule.Pass(t.Context()))
	require.Equal(t, []string{"rtmanager-n-20260101T120000Z.snapshot", "rtmanager-n-20260101T120000Z.snapshot.json"}, names(t, dir))
}

// The newest backup without inconsistencies remains, however many newer ones have some.
func TestScheduleKeepsACleanBackup(t *testing.T) {
	t.Parallel()
	server, dir := etcdtest.Start(t), t.TempDir()
	insert(t, openStore(t, server.Client(), ""), "a")
	c := &clock{time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	schedule := newSchedule(t, server.Client(), dir, "n", 1, c)
	require.NoError(t, schedule.Pass(t.Context()))
	_, err := server.Client().Delete(t.Context(), "/runtimes-by-status/", clientv3.WithPrefix())
	require.NoError(t, err)
	for range 2 {
		c.now = c.now.Add(time.Hour)
		require.NoError(t, schedule.Pass(t.Context()))
	}
	require.Equal(t, 1, schedule.Stats().Last.Findings())
	require.Equal(t, []string{
		"rtmanager-n-20260101T120000Z.snapshot", "rtmanager-n-20260101T120000Z.snapshot.json",
		"rtmanager-n-20260101T140000Z.snapshot", "rtmanager-n-20260101T140000Z.snapshot.json",
	}, names(t, dir))
}

// A process that is killed before it gives a backup its name leaves a manifest.
func TestScheduleCountsNoManifestWithoutItsFile(t *testing.T) {
	t.Parallel()
	server, dir := etcdtest.Start(t), t.TempDir()
	insert(t, openStore(t, server.Client(), ""), "a")
	c := &clock{time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	schedule := newSchedule(t, server.Client(), dir, "n", 2, c)
	for range 2 {
		require.NoError(t, schedule.Pass(t.Context()))
		c.now = c.now.Add(time.Hour)
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "rtmanager-n-20260101T130000Z.snapshot")))
	schedule = newSchedule(t, server.Client(), dir, "n", 2, c)
	require.Equal(t, c.now.Add(-2*time.Hour), schedule.Stats().Last.CreatedAt)
	require.NoError(t, schedule.Pass(t.Context()))
	require.Equal(t, []string{
		"rtmanager-n-20260101T120000Z.snapshot", "rtmanager-n-20260101T120000Z.snapshot.json",
		"rtmanager-n-20260101T140000Z.snapshot", "rtmanager-n-20260101T140000Z.snapshot.json",
	}, names(t, dir))
}

func TestScheduleCountsFailures(t *testing.T) {
	t.Parallel()
	server, dir := etcdtest.Start(t), t.TempDir()
	c := &clock{time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	client := server.Client()
	schedule := newSchedule(t, client, dir, "n", 1, c)
	require.ErrorContains(t, schedule.Pass(t.Context()), "no store of rtmanager")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, schedule.Pass(ctx), context.Canceled)
	require.EqualValues(t, 2, schedule.Stats().Failed)
	require.Empty(t, names(t, dir))

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := backup.NewSchedule(client, backup.ScheduleOptions{Dir: file})
	require.ErrorContains(t, err, "not a directory")
}

// Run makes the first backup at once, and none while the last one is recent.
func TestScheduleRunsWhenABackupIsDue(t *testing.T) {
	t.Parallel()
	server, dir := etcdtest.Start(t), t.TempDir()
	insert(t, openStore(t, server.Client(), ""), "a")
	c := &clock{time.Now()}
	schedule := newSchedule(t, server.Client(), dir, "n", 1, c)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		schedule.Run(ctx)
	}()
	require.Eventually(t, func() bool { return schedule.Stats().Succeeded == 1 }, time.Minute, 10*time.Millisecond)
	cancel()
	<-done
	second := newSchedule(t, server.Client(), dir, "n", 1, c)
	limited, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	second.Run(limited)
	require.Zero(t, second.Stats().Succeeded)
	require.Len(t, names(t, dir), 2)
}
