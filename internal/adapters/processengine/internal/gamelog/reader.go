package gamelog

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

const (
	// earlierSuffix ends the name of the file with earlier output.
	earlierSuffix = ".1"
	// maxLineBytes is the most text of one Line.
	maxLineBytes = 64 << 10
	// readBufferBytes is the most that a Reader reads at once.
	readBufferBytes = 32 << 10
)

// Line is one line of a log.
type Line struct {
	// Time is when the line was received, to a tenth of a second; zero for a log of an earlier version.
	Time time.Time
	// Run is the number of runs that have started before the line, among those that the log has
	// the start of.
	Run int
	// Text is valid UTF-8, has no line feed and at most 64 KiB. A longer line becomes several.
	Text string
}

// Reader reads the lines of a log from its beginning, also while it is written. It keeps little
// of it in memory. A reader that is slower than the writer misses output that was dropped in the
// meantime. It is not safe for concurrent use.
type Reader struct {
	name  string
	files []*logFile // to be read, in order; the first one is being read
	chunk []byte     // read from the first file and not yet returned
	buf   []byte
	run   int
	at    time.Time // of the text at the offset
	line  []byte    // the start of an incomplete line
	begun time.Time // when line was received
	// opened has the files of a snapshot, nil while the log is followed.
	opened []*logFile
	// start is where a snapshot starts.
	start position
}

// logFile is one open file of a log.
type logFile struct {
	file   *os.File
	info   os.FileInfo
	times  *timesReader
	offset int64 // of the chunk of the reader
	read   int64 // offset of the next read
}

// NewReader returns a reader of the log. The log need not exist.
func (l *Log) NewReader() (*Reader, error) {
	r := &Reader{name: l.name, buf: make([]byte, readBufferBytes)}
	return r, r.openFiles(nil)
}

// NewSnapshot returns a reader of what the log contains at present. It ends there, however fast
// the game writes. The text remains readable if the writer drops it in the meantime.
func (l *Log) NewSnapshot() (*Reader, error) {
	r, err := l.NewReader()
	r.opened = append([]*logFile{}, r.files...)
	return r, err
}

// Follow makes the reader of a snapshot continue with what the log gets later. Call it before
// Next, or after Rewind.
func (r *Reader) Follow() {
	if r.opened == nil {
		return
	}
	for _, skipped := range r.opened[:r.start.file] {
		_ = skipped.close() // it was only read
	}
	r.opened, r.start = nil, position{}
}

// Close closes the files.
func (r *Reader) Close() error {
	files := r.files
	if r.opened != nil {
		files = r.opened
	}
	var errs []error
	for _, f := range files {
		errs = append(errs, f.close())
	}
	r.files, r.opened = nil, nil
	return errors.Join(errs...)
}

// Next returns the next complete line. It returns io.EOF if there is none yet; a later call may
// return one.
func (r *Reader) Next() (Line, error) {
	for {
		if line, ok := r.cut(); ok {
			return line, nil
		}
		if err := r.fill(); err != nil {
			return Line{}, err
		}
	}
}

// Rest returns the incomplete line at the end of the log, and false if there is none. Call it
// after Next has returned io.EOF.
func (r *Reader) Rest() (Line, bool) {
	if len(r.line) == 0 {
		return Line{}, false
	}
	return r.take(), true
}

// Run returns the number of runs whose start the reader has read.
func (r *Reader) Run() int { return r.run }

// cut returns the next line of the chunk, and false if it has no complete one.
func (r *Reader) cut() (Line, bool) {
	for len(r.files) > 0 {
		f := r.files[0]
		for e := f.times.peek(); e != nil && e.offset <= f.offset; e = f.times.peek() {
			if e.isStart && len(r.line) > 0 {
				return r.take(), true // the previous run has not ended its last line
			}
			r.at = e.at
			if e.isStart {
				r.run++
			}
			f.times.pop()
		}
		if len(r.chunk) == 0 {
			return Line{}, false
		}
		if len(r.line) == 0 {
			r.begun = r.at
		}
		size, end := len(r.chunk), 0 // end is the size of the line feed
		if i := bytes.IndexByte(r.chunk, '\n'); i >= 0 {
			size, end = i, 1
		}
		isWhole := end == 1
		if space := maxLineBytes - len(r.line); size > space {
			size, end, isWhole = space, 0, true
		}
		for e := f.times.peek(); e != nil && e.offset < f.offset+int64(size+end); e = f.times.peek() {
			if e.isStart {
				size, end, isWhole = int(e.offset-f.offset), 0, true
				break
			}
			r.at = e.at
			f.times.pop()
		}
		r.line = append(r.line, r.chunk[:size]...)
		r.chunk = r.chunk[size+end:]
		f.offset += int64(size + end)
		if isWhole {
			return r.take(), true
		}
	}
	return Line{}, false
}

// take returns the line that was collected.
func (r *Reader) take() Line {
	line := Line{Time: r.begun, Run: r.run, Text: strings.ToValidUTF8(strings.TrimSuffix(string(r.line), "\r"), "?")}
	r.line = r.line[:0]
	return line
}

// fill reads the next chunk, from the next file if the first one has ended. It returns io.EOF at
// the end of the log.
func (r *Reader) fill() error {
	if r.opened != nil {
		return r.fillFromSnapshot()
	}
	isReplaced := false
	for {
		if len(r.files) == 0 {
			if err := r.openFiles(nil); err != nil {
				return err
			}
			if len(r.files) == 0 {
				return io.EOF
			}
		}
		f := r.files[0]
		n, err := f.file.ReadAt(r.buf, f.read)
		if n > 0 {
			r.chunk = r.buf[:n]
			f.read += int64(n)
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		switch {
		case len(r.files) > 1 || isReplaced:
			if err := r.openNext(); err != nil {
				return err
			}
			isReplaced = false
			if len(r.files) == 0 {
				return io.EOF
			}
		default:
			end := f.read
			if isReplaced, err = r.isReplaced(f); err != nil {
				return err
			}
			if !isReplaced && f.read == end {
				return io.EOF
			}
		}
	}
}

// fillFromSnapshot reads the next chunk of the opened files, up to the size that they had.
func (r *Reader) fillFromSnapshot() error {
	for len(r.files) > 0 {
		f := r.files[0]
		rest := max(0, f.info.Size()-f.read)
		n, err := f.file.ReadAt(r.buf[:min(rest, int64(len(r.buf)))], f.read)
		if n > 0 {
			r.chunk = r.buf[:n]
			f.read += int64(n)
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		r.files = r.files[1:] // it remains open for Rewind
	}
	return io.EOF
}

// isReplaced reports whether the log is another file than f now. Then f may have got more text
// before. If f was truncated, the reader restarts at its beginning.
func (r *Reader) isReplaced(f *logFile) (bool, error) {
	info, err := os.Stat(r.name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // the writer is about to create it, or the log was deleted
	}
	if err != nil {
		return false, err
	}
	if !os.SameFile(info, f.info) {
		return true, nil
	}
	if info.Size() < f.read {
		_ = f.times.Close()
		f.times, f.offset, f.read, r.at = &timesReader{}, 0, 0, time.Time{}
	}
	return false, nil
}

// openNext closes the first file and opens those that follow it.
func (r *Reader) openNext() error {
	done := r.files[0]
	r.files = r.files[1:]
	var err error
	if len(r.files) == 0 {
		err = r.openFiles(done.info)
	}
	return errors.Join(err, done.close())
}

// openFiles opens the files of the log that are newer than the file after; nil means all. A file
// that is renamed in the meantime is opened once only.
func (r *Reader) openFiles(after os.FileInfo) error {
	for {
		current, err := openLogFile(r.name)
		if err != nil {
			return err
		}
		earlier, err := openLogFile(r.name + earlierSuffix)
		if err != nil {
			return errors.Join(err, current.close())
		}
		if current != nil && earlier != nil && os.SameFile(current.info, earlier.info) {
			if err := errors.Join(current.close(), earlier.close()); err != nil {
				return err
			}
			continue
		}
		for _, f := range []*logFile{earlier, current} {
			switch {
			case f == nil:
			case after != nil && os.SameFile(f.info, after):
				if err := f.close(); err != nil {
					return err
				}
			default:
				r.files = append(r.files, f)
			}
		}
		return nil
	}
}

// openLogFile opens a file with its times. It returns nil if there is no such file.
func openLogFile(name string) (*logFile, error) {
	for {
		file, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		f := &logFile{file: file, times: &timesReader{}}
		if f.info, err = file.Stat(); err != nil {
			return nil, errors.Join(err, f.close())
		}
		if f.times, err = openTimesReader(name); err != nil {
			f.times = &timesReader{}
			return nil, errors.Join(err, f.close())
		}
		// The times are those of another file if it was renamed in between.
		if info, err := os.Stat(name); err == nil && os.SameFile(info, f.info) {
			return f, nil
		}
		if err := f.close(); err != nil {
			return nil, err
		}
	}
}

func (f *logFile) close() error {
	if f == nil {
		return nil
	}
	return errors.Join(f.file.Close(), f.times.Close())
}
