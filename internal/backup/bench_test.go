package backup_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/backup"
)

const benchRecords = 100_000

// BenchmarkBackup saves, verifies, opens and restores a store of an embedded member. Each result
// is one run: `go test -run '^$' -bench Backup -benchtime 1x ./internal/backup`.
func BenchmarkBackup(b *testing.B) {
	cfg := embeddedetcd.Config{DataDir: filepath.Join(b.TempDir(), "data"), ListenClientURL: "http://127.0.0.1:0"}
	member, err := embeddedetcd.Start(b.Context(), cfg)
	require.NoError(b, err)
	store, err := etcdstore.Open(b.Context(), member.Client(), etcdstore.Options{})
	require.NoError(b, err)
	require.NoError(b, store.Ready(b.Context()))
	writers, ctx := errgroup.WithContext(b.Context())
	writers.SetLimit(512)
	for n := range benchRecords {
		writers.Go(func() error { return store.Upsert(ctx, record(fmt.Sprintf("game-%06d", n))) })
	}
	require.NoError(b, writers.Wait())
	file := filepath.Join(b.TempDir(), "b.snapshot")
	saved := false
	b.Run("save", func(b *testing.B) {
		for b.Loop() {
			name := file
			if saved {
				name = filepath.Join(b.TempDir(), fmt.Sprint(b.N, ".snapshot"))
			}
			manifest, err := backup.Save(b.Context(), member.Client(), name, backup.SaveOptions{})
			require.NoError(b, err)
			require.Equal(b, benchRecords, manifest.Records())
			require.Zero(b, manifest.Findings())
			b.ReportMetric(float64(manifest.Bytes), "bytes")
			saved = true
		}
	})
	require.NoError(b, store.Close())
	require.NoError(b, member.Close())
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			_, _, err := backup.Verify(b.Context(), file)
			require.NoError(b, err)
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			opened, err := backup.Open(b.Context(), file)
			require.NoError(b, err)
			require.NoError(b, opened.Close())
		}
	})
	restored := ""
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			restored = filepath.Join(b.TempDir(), fmt.Sprint(time.Now().UnixNano()))
			_, err := backup.Restore(b.Context(), file, backup.RestoreOptions{DataDir: restored})
			require.NoError(b, err)
		}
	})
}
