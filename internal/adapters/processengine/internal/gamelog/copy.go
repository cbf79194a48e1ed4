package gamelog

import (
	"errors"
	"io"
	"os"
)

// copyBufferBytes is the most output that one write to the log contains.
const copyBufferBytes = 32 << 10

// Copy appends the output of a game to the log file until r ends or returns an error. Before
// the log would have more than half of maxBytes, it becomes FILE.1; both files together never
// have more than maxBytes. Output that cannot be written, for example to a full disk, is lost:
// the game does not wait for it.
func Copy(r io.Reader, name string, maxBytes int64) {
	w := writer{name: name, maxBytes: max(1, maxBytes/2)}
	defer w.close()
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

// writer writes the log file of a game. Its maxBytes is the size of one file.
type writer struct {
	name     string
	maxBytes int64
	file     *os.File // nil until the next write
	size     int64
}

// write appends the text, to a new file if necessary.
func (w *writer) write(text []byte) {
	if w.file == nil && w.open() != nil {
		return
	}
	if w.size > 0 && w.size+int64(len(text)) > w.maxBytes {
		w.close()
		if os.Rename(w.name, w.name+".1") != nil || w.open() != nil {
			return
		}
	}
	n, err := w.file.Write(text)
	w.size += int64(n)
	if err != nil {
		w.close() // the size of the file may have changed
	}
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
	return nil
}

func (w *writer) close() {
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
}
