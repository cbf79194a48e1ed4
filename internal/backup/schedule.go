package backup

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/wait"
)

// ScheduleOptions tune a Schedule.
type ScheduleOptions struct {
	// Dir is the directory of the backups, which is created if it does not exist. Several
	// schedules may share it.
	Dir string
	// Interval is the time between two backups.
	Interval time.Duration
	// Keep is the number of backups of this schedule to keep.
	Keep int
	// Name is part of the names of the backups. It and Store identify the schedule: it
	// deletes only backups whose manifest contains both.
	Name, Store string
	Save        SaveOptions
	// Logger reports each backup.
	Logger *slog.Logger
}

// Schedule makes backups periodically and deletes its old ones. It is safe for concurrent use.
type Schedule struct {
	client *clientv3.Client
	opts   ScheduleOptions

	mu    sync.Mutex
	stats ScheduleStats
}

// ScheduleStats are the statistics of a Schedule.
type ScheduleStats struct {
	Succeeded, Failed int64
	// Last is the last successful backup, also one of an earlier process; its CreatedAt is
	// zero for none.
	Last Manifest
	// LastDuration is how long it took, 0 for one of an earlier process.
	LastDuration time.Duration
	Interval     time.Duration
}

// maxRetryDelay bounds the delay after a backup that failed.
const maxRetryDelay = 5 * time.Minute

// NewSchedule returns a schedule, and finds its earlier backups. It fails if the directory
// cannot be created or read.
func NewSchedule(client *clientv3.Client, opts ScheduleOptions) (*Schedule, error) {
	if opts.Save.Now == nil {
		opts.Save.Now = time.Now
	}
	opts.Save.Schedule = opts.Name + " " + opts.Store
	s := &Schedule{client: client, opts: opts}
	s.stats.Interval = opts.Interval
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of backups: %w", err)
	}
	saved, err := s.ownBackups()
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(saved, func(b savedBackup) bool { return b.exists }); i >= 0 {
		s.stats.Last = saved[i].Manifest
	}
	return s, nil
}

// Stats returns the statistics.
func (s *Schedule) Stats() ScheduleStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Run makes a backup whenever one is due, until ctx ends. A backup that fails is logged, counted
// and repeated.
func (s *Schedule) Run(ctx context.Context) {
	delay := s.untilDue()
	for wait.For(ctx, delay) == nil {
		delay = s.opts.Interval
		if err := s.Pass(ctx); err != nil && ctx.Err() == nil {
			delay = min(s.opts.Interval, maxRetryDelay)
			s.opts.Logger.Error("the backup failed; it is repeated", "directory", s.opts.Dir, "after", delay, "error", err)
		}
	}
}

// untilDue returns the time until the next backup, with regard to those of earlier processes.
func (s *Schedule) untilDue() time.Duration {
	age := s.opts.Save.Now().Sub(s.Stats().Last.CreatedAt)
	if age < 0 { // the clock was set back
		return 0
	}
	return max(0, s.opts.Interval-age)
}

// Pass makes a backup, and deletes those of this schedule that are too many.
func (s *Schedule) Pass(ctx context.Context) error {
	startedAt := time.Now()
	s.removeParts()
	file := filepath.Join(s.opts.Dir, s.namePrefix()+s.opts.Save.Now().UTC().Format(nameTime)+nameSuffix)
	manifest, err := Save(ctx, s.client, file, s.opts.Save)
	s.record(manifest, time.Since(startedAt), err)
	if err != nil {
		return err
	}
	log := s.opts.Logger.Info
	if manifest.Findings() > 0 {
		log = s.opts.Logger.Warn
	}
	log("saved a backup", "file", file, "records", manifest.Records(), "revision", manifest.Revision, "bytes", manifest.Bytes,
		"findings", manifest.Findings(), "duration", time.Since(startedAt))
	if err := s.prune(file); err != nil {
		s.opts.Logger.Warn("old backups cannot be deleted", "directory", s.opts.Dir, "error", err)
	}
	return nil
}

func (s *Schedule) record(manifest Manifest, duration time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.stats.Failed++
		return
	}
	s.stats.Succeeded++
	s.stats.Last, s.stats.LastDuration = manifest, duration
}

const (
	nameTime   = "20060102T150405Z"
	nameSuffix = ".snapshot"
)

// namePrefix is the beginning of the names of this schedule's backups.
func (s *Schedule) namePrefix() string {
	safe := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, strings.ReplaceAll(s.opts.Name, "/", "-"))
	return "rtmanager-" + safe + "-"
}

// removeParts removes what an earlier process of this schedule did not complete.
func (s *Schedule) removeParts() {
	entries, err := os.ReadDir(s.opts.Dir)
	if err != nil {
		return // Save reports it
	}
	for _, entry := range entries {
		end := max(0, strings.LastIndex(entry.Name(), nameSuffix))
		name, isPart := entry.Name()[:end], strings.HasSuffix(entry.Name(), partSuffix)
		at, isOwn := strings.CutPrefix(name, s.namePrefix())
		if _, err := time.Parse(nameTime, at); isPart && isOwn && err == nil {
			_ = os.Remove(filepath.Join(s.opts.Dir, entry.Name()))
		}
	}
}
