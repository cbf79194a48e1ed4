package auditlog

import (
	"fmt"
	"time"

	"galaxy/rtmanager/internal/diskspace"
	"galaxy/rtmanager/internal/domain/audit"
)

const (
	// maxBatchBytes bounds the lines that wait for the disk.
	maxBatchBytes = 4 << 20
	// reserveBytes is the disk space that is allocated beyond the end of the file.
	reserveBytes = 1 << 20
)

// batch is lines that are stored with one fsync.
type batch struct {
	lines []byte
	done  chan struct{} // closed when err is set
	err   error
}

// enqueue adds the line to the pending batch without waiting for the disk.
func (f *File) enqueue(line []byte) (*batch, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isClosed {
		return nil, fmt.Errorf("%w: it is closed", audit.ErrUnavailable)
	}
	if f.pending == nil {
		f.pending = &batch{done: make(chan struct{})}
		f.commits.Go(f.commit)
	}
	if len(f.pending.lines)+len(line) > maxBatchBytes {
		return nil, fmt.Errorf("%w: the disk is slower than the requests", audit.ErrUnavailable)
	}
	f.pending.lines = append(f.pending.lines, line...)
	return f.pending, nil
}

// commit stores the pending batch once the disk is free. Lines that an earlier batch could not
// store come first.
func (f *File) commit() {
	f.disk.Lock()
	defer f.disk.Unlock()
	f.mu.Lock()
	b, earlier := f.pending, f.unstored
	f.pending, f.commitStartedAt = nil, time.Now()
	f.mu.Unlock()

	all := earlier.with(b.lines)
	if err := f.store(all.document()); err != nil {
		b.err = fmt.Errorf("%w: %w", audit.ErrUnavailable, err)
		f.finish(all.kept(), b.err)
	} else {
		// The lines are durable. A failure to reserve space fails the next ones, in time.
		f.finish(unstored{}, f.reserve())
	}
	close(b.done)
}

// store writes and syncs the lines. After an error the file is as before, if it can be
// truncated; otherwise its end counts as torn.
func (f *File) store(lines []byte) error {
	if err := f.prepare(int64(len(lines))); err != nil {
		return err
	}
	if f.isTorn {
		lines = append([]byte{'\n'}, lines...)
	}
	n, err := f.file.Write(lines)
	if err == nil {
		err = f.file.Sync()
	}
	if err != nil {
		if f.file.Truncate(f.size) != nil {
			f.size += int64(n)
			f.isTorn = true
		}
		return err
	}
	f.size += int64(n)
	f.isTorn = false
	return nil
}

// prepare opens the file that the lines belong to: a new one if they exceed the maximum
// size, or if another program has moved the current one. A failed rotation does not stop
// the log.
func (f *File) prepare(length int64) error {
	if err := f.reopenIfMoved(); err != nil {
		return err
	}
	if f.size == 0 || f.size+length <= f.cfg.MaxBytes {
		return nil
	}
	err := f.rotate()
	if err != nil && !f.isRotationFailing {
		f.cfg.Logger.Error("the audit file cannot be rotated and grows beyond its maximum size", "file", f.cfg.Path, "error", err)
	}
	f.isRotationFailing = err != nil
	if err == nil {
		return nil
	}
	return f.reopenIfMoved()
}

// reserve allocates disk space for the lines of the requests in progress.
func (f *File) reserve() error {
	if f.allocated-f.size > reserveBytes/2 {
		return nil
	}
	if err := diskspace.Allocate(f.file, f.size+reserveBytes); err != nil {
		return fmt.Errorf("%w: reserve disk space: %w", audit.ErrUnavailable, err)
	}
	f.allocated = f.size + reserveBytes
	return nil
}
