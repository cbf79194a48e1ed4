package gamelog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// timesSuffix ends the name of the file with the times of a log file. Each of its lines has an offset
// in the log file, and the time in milliseconds at which the output from there on was received. The line of the
// start of a run ends with startMark.
const timesSuffix = ".times"

const startMark = "start"

// timesInterval is the shortest time between two entries.
const timesInterval = 100 * time.Millisecond

// timeEntry is one line of the file of times.
type timeEntry struct {
	offset  int64
	at      time.Time
	isStart bool
}

// timesWriter writes the times of one log file. Times that cannot be written are lost.
type timesWriter struct {
	file *os.File
	size int64
	last time.Time
}

// openTimes opens the times of a log file. The times of an empty log file are those of another file.
func openTimes(logName string, isNew bool) timesWriter {
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if isNew {
		flags |= os.O_TRUNC
	}
	file, err := os.OpenFile(logName+timesSuffix, flags, 0o600)
	if err != nil {
		return timesWriter{}
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return timesWriter{}
	}
	return timesWriter{file: file, size: info.Size()}
}

// add adds an entry for the output from the offset on, unless there is a recent one.
func (w *timesWriter) add(entry timeEntry) {
	if w.file == nil || !entry.isStart && entry.at.Sub(w.last) < timesInterval && !entry.at.Before(w.last) {
		return
	}
	text := fmt.Sprintf("%d %d\n", entry.offset, entry.at.UnixMilli())
	if entry.isStart {
		text = fmt.Sprintf("%d %d %s\n", entry.offset, entry.at.UnixMilli(), startMark)
	}
	n, err := w.file.WriteString(text)
	w.size += int64(n)
	if err == nil {
		w.last = entry.at
	}
}

func (w *timesWriter) close() {
	if w.file != nil {
		_ = w.file.Close()
	}
	*w = timesWriter{}
}

// timesReader reads the times of one log file, in order, also while it is written.
type timesReader struct {
	file    *os.File // nil if there are no times
	buffer  *bufio.Reader
	partial string
	next    *timeEntry // read and not yet returned
}

// openTimesReader opens the times of a log file. A log of an earlier version has none.
func openTimesReader(logName string) (*timesReader, error) {
	file, err := os.Open(logName + timesSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return &timesReader{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &timesReader{file: file, buffer: bufio.NewReader(file)}, nil
}

// peek returns the next entry, nil if there is none yet.
func (r *timesReader) peek() *timeEntry {
	for r.next == nil && r.file != nil {
		text, err := r.buffer.ReadString('\n')
		r.partial += text
		if err != nil {
			return nil // the end so far
		}
		r.next = parseTimeEntry(r.partial)
		r.partial = ""
	}
	return r.next
}

// pop removes the entry that peek has returned.
func (r *timesReader) pop() { r.next = nil }

// rewind returns to the first entry.
func (r *timesReader) rewind() error {
	r.partial, r.next = "", nil
	if r.file == nil {
		return nil
	}
	r.buffer.Reset(r.file)
	_, err := r.file.Seek(0, io.SeekStart)
	return err
}

func (r *timesReader) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// parseTimeEntry returns nil for a line that is not an entry, such as one that a full disk has cut.
func parseTimeEntry(line string) *timeEntry {
	fields := strings.Fields(line)
	if len(fields) < 2 || len(fields) > 3 || len(fields) == 3 && fields[2] != startMark {
		return nil
	}
	offset, offsetErr := strconv.ParseInt(fields[0], 10, 64)
	milliseconds, timeErr := strconv.ParseInt(fields[1], 10, 64)
	if offsetErr != nil || timeErr != nil {
		return nil
	}
	return &timeEntry{offset: offset, at: time.UnixMilli(milliseconds).UTC(), isStart: len(fields) == 3}
}
