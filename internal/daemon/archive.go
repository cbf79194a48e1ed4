package daemon

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/adapters/archive"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/deletion"
)

// archivingStore is the store of a daemon. It archives games before it deletes them, if the
// daemon has an archive.
type archivingStore struct {
	*etcdstore.Store

	deleter ports.RuntimeDeleter
}

// Delete implements ports.RuntimeDeleter.
func (s archivingStore) Delete(ctx context.Context, input ports.DeleteInput) error {
	return s.deleter.Delete(ctx, input)
}

// openArchive returns the store that archives games as the settings require, and registers the
// metrics of the archive. The error names the flag. stop closes the archive.
func openArchive(cfg config.Config, store *etcdstore.Store, registry prometheus.Registerer, logger *slog.Logger) (_ archivingStore, stop func() error, _ error) {
	if !cfg.HasArchive() {
		return archivingStore{Store: store, deleter: store}, func() error { return nil }, nil
	}
	opened, err := archive.Open(archive.Config{
		File: cfg.ArchiveFile, URL: cfg.ArchiveURL, Store: store.ID(), Logger: logger.With("component", "archive"),
	})
	if err != nil {
		return archivingStore{}, nil, fmt.Errorf("--archive-file, --archive-url: %w", err)
	}
	counter := func(name, help string, value func(archive.Stats) int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value(opened.Stats())) })
	}
	registry.MustRegister(
		counter("rtmanager_archived_games_total", "Number of games that were archived, so that they could be deleted.", func(s archive.Stats) int64 { return s.Archived }),
		counter("rtmanager_archive_failures_total", "Number of games that the archive did not accept; they were not deleted.", func(s archive.Stats) int64 { return s.Failures }),
	)
	return archivingStore{Store: store, deleter: deletion.NewDeleter(store, opened)}, opened.Close, nil
}
