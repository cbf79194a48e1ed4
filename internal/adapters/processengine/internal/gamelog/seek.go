package gamelog

import (
	"errors"
	"io"
	"time"
)

// position is a place in the files of a snapshot: the index of a file and an offset in it.
type position struct {
	file   int
	offset int64
}

// SeekTail moves the start of a snapshot to the start of a line, so that few lines more than the given number follow,
// or all if the log has no more. It reads the end of the log only. Rewind then returns to that start. Call it before
// Next.
func (r *Reader) SeekTail(lines int) error {
	start, err := r.findTail(lines)
	if err != nil {
		return err
	}
	r.start = start
	return r.Rewind()
}

// findTail returns the position after the line feed that precedes the last lines. It reads backwards from the end, in
// blocks.
func (r *Reader) findTail(lines int) (position, error) {
	missing := lines + 1 // line feeds to find: the last line of the log can be incomplete
	for i := len(r.opened) - 1; i >= 0; i-- {
		f := r.opened[i]
		for end := f.info.Size(); end > 0; {
			begin := max(0, end-int64(len(r.buf)))
			n, err := f.file.ReadAt(r.buf[:end-begin], begin)
			if err != nil && !errors.Is(err, io.EOF) {
				return position{}, err
			}
			for at := n - 1; at >= 0; at-- {
				if r.buf[at] != '\n' {
					continue
				}
				if missing--; missing == 0 {
					return position{i, begin + int64(at) + 1}, nil
				}
			}
			end = begin
		}
	}
	return position{}, nil
}

// Rewind returns the reader of a snapshot to its start: the beginning of the log, or where SeekTail has moved it.
func (r *Reader) Rewind() error {
	r.files, r.chunk, r.run, r.at, r.line = append([]*logFile{}, r.opened[r.start.file:]...), nil, 0, time.Time{}, r.line[:0]
	for i, f := range r.opened {
		f.offset, f.read = 0, 0
		if err := f.times.rewind(); err != nil {
			return err
		}
		switch {
		case i < r.start.file:
			r.skipTimes(f)
		case i == r.start.file:
			f.offset, f.read = r.start.offset, r.start.offset
		}
	}
	return nil
}

// skipTimes takes the time and the starts of runs from a file before the start.
func (r *Reader) skipTimes(f *logFile) {
	for e := f.times.peek(); e != nil; e = f.times.peek() {
		r.at = e.at
		if e.isStart {
			r.run++
		}
		f.times.pop()
	}
}
