// Package gamelog writes, reads and bounds the log of a game: a file, a second file with
// earlier output, and the times of both. Copy bounds the log while it is written. Shorten bounds a log to which a game
// of an earlier version appends itself.
package gamelog

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// maxTailBytes is the most that Tail returns, and the size of the end that Shorten keeps.
const maxTailBytes = 64 << 10

// Log is the log of one game: a file, and FILE.1 with earlier output. It is safe
// for concurrent use, and while the game writes.
type Log struct {
	name string
	mu   sync.Mutex // serializes Tail and Shorten
}

// New returns the log with the file name. The file need not exist.
func New(name string) *Log { return &Log{name: name} }

// OpenForAppend opens the file for a game, and creates it if necessary.
func (l *Log) OpenForAppend() (*os.File, error) {
	return os.OpenFile(l.name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}

// Tail returns the last lines, at most 64 KiB. It drops the incomplete line at the start,
// unless that is the only line, and replaces bytes that are not UTF-8 by question marks.
func (l *Log) Tail(lines int) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	earlier, err := readEnd(l.name + earlierSuffix)
	if err != nil {
		return nil, err
	}
	current, err := readEnd(l.name)
	if err != nil {
		return nil, err
	}
	return lastLines(append(earlier, current...), lines), nil
}

// Shorten bounds the log to maxBytes: it drops all but the end of each file with more than half of
// that. A game that writes to the file itself continues to append; output that it writes during
// the call is lost.
func (l *Log) Shorten(maxBytes int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(shortenFile(l.name+earlierSuffix, l.name+earlierSuffix, maxBytes/2), shortenFile(l.name, l.name+earlierSuffix, maxBytes/2))
}

// shortenFile moves the end of a file with more than maxBytes to the file end, and truncates it.
// It truncates first, so that a full disk has space for the end.
func shortenFile(name, end string, maxBytes int64) error {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() <= maxBytes {
		return nil
	}
	if err != nil {
		return err
	}
	text, err := readEnd(name)
	if err != nil {
		return err
	}
	for _, times := range []string{name + timesSuffix, end + timesSuffix} {
		if err := os.Remove(times); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Truncate(name, 0); err != nil {
		return err
	}
	return os.WriteFile(end, text, 0o600)
}

// readEnd returns the end of the file, two bytes more than maxTailBytes. A missing file is
// empty.
func readEnd(name string) ([]byte, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	const size = maxTailBytes + 2 // one newline at either end
	return io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-size), size))
}

// lastLines returns the last lines of the last maxTailBytes of text.
func lastLines(text []byte, lines int) []string {
	text = bytes.TrimSuffix(text, []byte("\n"))
	if excess := len(text) - maxTailBytes; excess > 0 {
		rest := text[excess:]
		if _, complete, found := bytes.Cut(text[excess-1:], []byte("\n")); found {
			rest = complete
		}
		text = rest
	}
	if len(text) == 0 || lines <= 0 {
		return []string{}
	}
	all := strings.Split(string(text), "\n")
	all = all[max(0, len(all)-lines):]
	for i, line := range all {
		all[i] = strings.ToValidUTF8(strings.TrimSuffix(line, "\r"), "?")
	}
	return all
}
