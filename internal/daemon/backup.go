package daemon

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/backup"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/node"
)

// newBackups returns the schedule of the settings with its metrics, nil for none.
func newBackups(cfg config.Config, version string, etcd *Etcd, store *etcdstore.Store, registry *prometheus.Registry, logger *slog.Logger) (*backup.Schedule, error) {
	if cfg.BackupDir == "" {
		return nil, nil //nolint:nilnil // no schedule
	}
	schedule, err := backup.NewSchedule(etcd.Client, backup.ScheduleOptions{
		Dir: cfg.BackupDir, Interval: cfg.BackupInterval, Keep: int(cfg.BackupKeep),
		Name: node.Ref{Region: cfg.Region, Name: cfg.Node}.String(), Store: store.ID(),
		Save: backup.SaveOptions{Version: version, Verifier: cfg.BackupVerifier}, Logger: logger.With("component", "backup"),
	})
	if err != nil {
		return nil, fmt.Errorf("--backup-dir: %w", err)
	}
	registry.MustRegister(newBackupMetrics(schedule.Stats))
	return schedule, nil
}

// startBackups runs the schedule, if there is one, until stop is called, which waits for it.
func startBackups(ctx context.Context, schedule *backup.Schedule) (stop func()) {
	if schedule == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		schedule.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// backupMetrics collects the statistics of a schedule.
type backupMetrics struct {
	read                                                         func() backup.ScheduleStats
	succeeded, failed, last, interval, findings, bytes, duration *prometheus.Desc
}

func newBackupMetrics(read func() backup.ScheduleStats) *backupMetrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, nil, nil)
	}
	return &backupMetrics{
		read:      read,
		succeeded: desc("rtmanager_backups_total", "Number of scheduled backups that were saved and verified."),
		failed:    desc("rtmanager_backup_failures_total", "Number of scheduled backups that failed."),
		last:      desc("rtmanager_backup_last_success_timestamp_seconds", "When the last successful backup was made, also by an earlier process; 0 for never."),
		interval:  desc("rtmanager_backup_interval_seconds", "Time between two scheduled backups."),
		findings:  desc("rtmanager_backup_last_findings", "Number of inconsistencies in the last backup."),
		bytes:     desc("rtmanager_backup_last_bytes", "Size of the last backup."),
		duration:  desc("rtmanager_backup_last_duration_seconds", "Duration of the last backup, including its verification."),
	}
}

// Describe implements prometheus.Collector.
func (m *backupMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{m.succeeded, m.failed, m.last, m.interval, m.findings, m.bytes, m.duration} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (m *backupMetrics) Collect(out chan<- prometheus.Metric) {
	stats := m.read()
	last := 0.0
	if !stats.Last.CreatedAt.IsZero() {
		last = float64(stats.Last.CreatedAt.UnixMilli()) / 1000
	}
	out <- prometheus.MustNewConstMetric(m.succeeded, prometheus.CounterValue, float64(stats.Succeeded))
	out <- prometheus.MustNewConstMetric(m.failed, prometheus.CounterValue, float64(stats.Failed))
	for desc, value := range map[*prometheus.Desc]float64{
		m.last: last, m.interval: stats.Interval.Seconds(), m.findings: float64(stats.Last.Findings()),
		m.bytes: float64(stats.Last.Bytes), m.duration: stats.LastDuration.Seconds(),
	} {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
}
