package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// savedBackup is a backup in the directory of a schedule.
type savedBackup struct {
	file string
	Manifest
	// exists is false for a manifest without its file: the process was killed before it gave the
	// file its name, or an operator has removed the file.
	exists bool
}

// ownBackups returns the backups of this schedule, the newest first. A backup is one of its own
// if its manifest names this schedule; nothing else is ever deleted.
func (s *Schedule) ownBackups() ([]savedBackup, error) {
	entries, err := os.ReadDir(s.opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("directory of backups: %w", err)
	}
	var saved []savedBackup
	for _, entry := range entries {
		name, isManifest := strings.CutSuffix(entry.Name(), ManifestFile(nameSuffix))
		if !isManifest || !entry.Type().IsRegular() || !strings.HasPrefix(name, s.namePrefix()) {
			continue
		}
		file := filepath.Join(s.opts.Dir, name+nameSuffix)
		m, err := readManifest(file)
		if err != nil || m == nil || m.Schedule != s.opts.Save.Schedule {
			continue
		}
		info, err := os.Lstat(file)
		if err == nil && (!info.Mode().IsRegular() || info.Size() != m.Bytes) {
			continue // not the file that this schedule saved
		}
		saved = append(saved, savedBackup{file, *m, err == nil})
	}
	slices.SortFunc(saved, func(a, b savedBackup) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return saved, nil
}

// prune deletes the backups of this schedule beyond Keep. latest is the file that was saved last:
// it counts as the newest even if others are of a later time, as after a correction of the
// clock. prune keeps the newest one without findings, however old it is. A manifest without its
// file is deleted, and does not count.
func (s *Schedule) prune(latest string) error {
	saved, err := s.ownBackups()
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(saved, func(b savedBackup) bool { return b.file == latest }); i > 0 {
		saved = slices.Insert(slices.Delete(slices.Clone(saved), i, i+1), 0, saved[i])
	}
	var faults []error
	kept, hasClean := 0, false
	for _, b := range saved {
		isNewestClean := b.exists && !hasClean && b.Findings() == 0
		hasClean = hasClean || isNewestClean
		if b.exists && (kept < s.opts.Keep || isNewestClean) {
			kept++
			continue
		}
		// The manifest goes last: without it the snapshot would stay forever.
		for _, name := range []string{b.file, ManifestFile(b.file)} {
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				faults = append(faults, err)
				break
			}
		}
	}
	return errors.Join(faults...)
}
