package gamelog

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// copyBufferBytes is the most output that one write to the log contains.
const copyBufferBytes = 32 << 10

// Copy appends the output of a run of a game to the log file until r ends or returns an error. Before
// the log would have more than half of maxBytes, it becomes FILE.1; both files together, with their times,
// never have more than maxBytes. Output that cannot be written, for example to a full disk, is lost:
// the game does not wait for it.
func Copy(r io.Reader, name string, maxBytes int64) { copyOutput(r, name, maxBytes, true) }

// CopyRest is Copy for the output of a run whose first part is in the log already.
func CopyRest(r io.Reader, name string, maxBytes int64) { copyOutput(r, name, maxBytes, false) }

func copyOutput(r io.Reader, name string, maxBytes int64, isStart bool) {
	w := writer{name: name, maxBytes: max(1, maxBytes/2), isStart: isStart}
	defer w.close()
	if isStart {
		_ = w.open() // the next write opens it otherwise
	}
	buffer := make([]byte, min(copyBufferBytes, w.maxBytes))
	for {
		n, err := r.Read(buffer)
		if n > 0 {
			w.write(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

// writer writes the log file of a game. Its maxBytes is the size of one file with its times.
type writer struct {
	name     string
	maxBytes int64
	file     *os.File // nil until the next write
	size     int64
	times    timesWriter
	isStart  bool // the next entry of the times is the start of a run
}

// write appends the text, to a new file if necessary. The time is written first, so that a reader of the
// text finds it.
func (w *writer) write(text []byte) {
	if w.file == nil && w.open() != nil {
		return
	}
	if w.size > 0 && w.size+w.times.size+int64(len(text)) > w.maxBytes {
		w.close()
		if w.rotate() != nil || w.open() != nil {
			return
		}
	}
	w.times.add(timeEntry{offset: w.size, at: time.Now()})
	n, err := w.file.Write(text)
	w.size += int64(n)
	if err != nil {
		w.close() // the size of the file may have changed
	}
}

// rotate makes the log FILE.1. It moves the times last: a file without times is read without
// them, but a file must not be read with the times of another.
func (w *writer) rotate() error {
	if err := os.Remove(w.name + earlierSuffix + timesSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(w.name, w.name+earlierSuffix); err != nil {
		return err
	}
	_ = os.Rename(w.name+timesSuffix, w.name+earlierSuffix+timesSuffix) // there can be none
	return nil
}

func (w *writer) open() error {
	file, err := New(w.name).OpenForAppend()
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	w.file, w.size = file, info.Size()
	w.times = openTimes(w.name, w.size == 0)
	if w.isStart {
		w.times.add(timeEntry{offset: w.size, at: time.Now(), isStart: true})
		w.isStart = false
	}
	return nil
}

func (w *writer) close() {
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
	w.times.close()
}
