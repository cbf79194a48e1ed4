package auditlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/audit"
	"galaxy/rtmanager/internal/filelock"
	"galaxy/rtmanager/internal/securefile"
)

const (
	// stallTimeout is how long a batch may take before Check fails.
	stallTimeout = 10 * time.Second
	// lockTimeout is how long OpenFile waits for another process to exit.
	lockTimeout = 2 * time.Second
)

// FileConfig tunes a File.
type FileConfig struct {
	// Path is the current file. Its directory must exist.
	Path string
	// MaxBytes is the size at which the file is rotated, MaxFiles the number of files
	// including the current one, at least 2.
	MaxBytes int64
	MaxFiles int
	// Logger receives a line for each failure that begins or ends.
	Logger *slog.Logger
}

// File is a file of lines. It is safe for concurrent use. Only one File uses a path at a
// time, which a lock file ensures.
type File struct {
	cfg  FileConfig
	name string
	root *os.Root
	lock *filelock.Lock

	mu              sync.Mutex // guards the following fields
	pending         *batch     // collects lines; nil if no line waits
	commitStartedAt time.Time  // start of the batch that is being stored; zero for none
	lastErr         error      // of the last batch
	unstored        unstored
	isClosed        bool

	commits sync.WaitGroup
	disk    sync.Mutex // guards the following fields; locked before mu
	file    *os.File
	size    int64
	// allocated is the size up to which the file has disk space.
	allocated int64
	// isTorn means that the file ends with an incomplete line.
	isTorn bool
	// isRotationFailing means that the last rotation has failed, and that the log has that.
	isRotationFailing bool
}

// OpenFile opens the file, or creates it. It returns an error for a directory or a file that
// other users can change, and for a path that another process uses. An incomplete last line,
// which a crash has left, stays as it is: new lines start after it.
func OpenFile(cfg FileConfig) (*File, error) {
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("open the audit file %s: %w", cfg.Path, err)
	}
	root, err := securefile.OpenDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	f := &File{cfg: cfg, name: filepath.Base(path), root: root}
	if f.lock, err = filelock.Acquire(path+".lock", lockTimeout); err != nil {
		return nil, errors.Join(fmt.Errorf("open the audit file %s: %w", path, err), root.Close())
	}
	if err := f.reopen(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the audit file %s: %w", path, err), f.lock.Release(), root.Close())
	}
	f.finish(unstored{}, f.reserve()) // a full disk does not stop reads
	return f, nil
}

// Append stores the line, which ends with a newline. It returns when the line is durable, or
// an error that wraps audit.ErrUnavailable. ctx bounds the wait only.
func (f *File) Append(ctx context.Context, line []byte) error {
	b, err := f.enqueue(line)
	if err != nil {
		return err
	}
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return fmt.Errorf("%w: the disk has not stored the event in time", audit.ErrUnavailable)
	}
}

// Check returns nil if the last batch was stored and no batch takes too long.
func (f *File) Check() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.lastErr != nil:
		return f.lastErr
	case !f.commitStartedAt.IsZero() && time.Since(f.commitStartedAt) > stallTimeout:
		return fmt.Errorf("%w: the disk has not responded since %s", audit.ErrUnavailable, f.commitStartedAt.UTC().Format(time.RFC3339))
	}
	return nil
}

// Close stores the lines that wait, and closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	f.isClosed = true
	f.mu.Unlock()
	f.commits.Wait()
	f.disk.Lock()
	defer f.disk.Unlock()
	return errors.Join(f.file.Close(), f.root.Close(), f.lock.Release())
}
