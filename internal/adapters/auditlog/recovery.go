package auditlog

import (
	"bytes"
	"time"

	"galaxy/rtmanager/internal/domain/audit"
)

// maxUnstoredBytes bounds the lines that are kept in memory until the disk works.
const maxUnstoredBytes = 1 << 20

// unstored is lines that could not be stored.
type unstored struct {
	lines []byte
	lost  int64     // number of further lines, which were dropped
	since time.Time // of the first failure; zero if all lines are stored
}

// with returns the lines followed by those of a batch.
func (u unstored) with(lines []byte) unstored {
	u.lines = append(u.lines[:len(u.lines):len(u.lines)], lines...)
	return u
}

// document returns the lines to store. If lines were lost, the last one reports it.
func (u unstored) document() []byte {
	if u.lost == 0 {
		return u.lines
	}
	return append(u.lines[:len(u.lines):len(u.lines)], encode(audit.Event{
		Time: time.Now().UTC(), Stage: audit.StageCompleted, Action: "audit-recovered", Outcome: audit.OutcomeFailed, Count: u.lost,
		Detail: "this number of events was lost because the audit file could not be written since " + u.since.UTC().Format(time.RFC3339),
	})...)
}

// kept returns what is kept in memory after a failure: the oldest lines.
func (u unstored) kept() unstored {
	if u.since.IsZero() {
		u.since = time.Now()
	}
	if len(u.lines) > maxUnstoredBytes {
		end := bytes.LastIndexByte(u.lines[:maxUnstoredBytes], '\n') + 1
		u.lost += int64(bytes.Count(u.lines[end:], []byte("\n")))
		u.lines = u.lines[:end]
	}
	return u
}

// finish records the result of storing lines: the lines that remain unstored, and the error
// or nil. It logs a failure that begins or ends.
func (f *File) finish(remaining unstored, err error) {
	f.mu.Lock()
	previousErr, earlier := f.lastErr, f.unstored
	f.lastErr, f.commitStartedAt, f.unstored = err, time.Time{}, remaining
	f.mu.Unlock()
	switch {
	case err != nil && previousErr == nil:
		f.cfg.Logger.Error("the audit file cannot be written; mutations are rejected until it can", "file", f.cfg.Path, "error", err)
	case err == nil && previousErr != nil:
		f.cfg.Logger.Info("the audit file can be written", "file", f.cfg.Path, "events_lost", earlier.lost)
	}
}

// retry stores the lines of a failure. It does nothing without one.
func (f *File) retry() {
	if f.Check() == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pending == nil && !f.isClosed && f.commitStartedAt.IsZero() {
		f.pending = &batch{done: make(chan struct{})}
		f.commits.Go(f.commit)
	}
}
