// Package gamelog reads and bounds the log file of a game. The game itself appends to the
// file, so it cannot be replaced: a log that is too large is truncated, and its end is moved
// to a second file.
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

// Log is the log of one game: a file, and FILE.1 with the end of earlier output. It is safe
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
	earlier, err := readEnd(l.name + ".1")
	if err != nil {
		return nil, err
	}
	current, err := readEnd(l.name)
	if err != nil {
		return nil, err
	}
	return lastLines(append(earlier, current...), lines), nil
}

// Shorten moves the end of the log to FILE.1 and truncates the file, if the file is larger
// than maxBytes. The game continues to append. Output that the game writes during the call
// is lost.
func (l *Log) Shorten(maxBytes int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	info, err := os.Stat(l.name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() <= maxBytes {
		return nil
	}
	if err != nil {
		return err
	}
	end, err := readEnd(l.name)
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.name+".1", end, 0o600); err != nil {
		return err
	}
	return os.Truncate(l.name, 0)
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
