package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"galaxy/rtmanager/internal/filelock"
	"galaxy/rtmanager/internal/securefile"
)

// lockTimeout is how long a file waits for another process to exit.
const lockTimeout = 2 * time.Second

// file appends lines to one file a day. It keeps no file open, so that other programs may move or
// compress the files. It is not safe for concurrent use.
type file struct {
	root       *os.Root
	lock       *filelock.Lock
	name, ext  string // of the files, around the day
	syncedName string // the file whose name is durable
}

// openFile locks the path. It returns an error for a directory that other users can change, and
// for a path that another process uses.
func openFile(path string) (*file, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	root, err := securefile.OpenDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	lock, err := filelock.Acquire(path+".lock", lockTimeout)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	ext := filepath.Ext(path)
	return &file{root: root, lock: lock, name: strings.TrimSuffix(filepath.Base(path), ext), ext: ext}, nil
}

// nameOf returns the name of the file of a day.
func (f *file) nameOf(at time.Time) string {
	return f.name + "-" + at.UTC().Format(time.DateOnly) + f.ext
}

// append writes the lines to the file of the day, and returns once they are durable. It removes
// what it has written of lines that could not be written whole.
func (f *file) append(lines []byte, now time.Time) (err error) {
	name := f.nameOf(now)
	if isTorn, err := f.isTorn(name); err != nil {
		return err
	} else if isTorn {
		lines = append([]byte{'\n'}, lines...)
	}
	opened, err := securefile.OpenAppend(f.root, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	before, err := opened.Stat()
	if err != nil {
		return err
	}
	if _, err = opened.Write(lines); err == nil {
		err = opened.Sync()
	}
	if err != nil {
		return errors.Join(err, opened.Truncate(before.Size()))
	}
	if f.syncedName == name && before.Size() > 0 {
		return nil
	}
	if err := f.syncDir(); err != nil {
		return err
	}
	f.syncedName = name
	return nil
}

// isTorn reports whether the file ends with an incomplete line, which a crash has left.
func (f *file) isTorn(name string) (bool, error) {
	opened, err := f.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = opened.Close() }()
	info, err := opened.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	last := make([]byte, 1)
	if _, err := opened.ReadAt(last, info.Size()-1); err != nil {
		return false, fmt.Errorf("read the end of %s: %w", name, err)
	}
	return last[0] != '\n', nil
}

func (f *file) syncDir() error {
	dir, err := f.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (f *file) close() error { return errors.Join(f.root.Close(), f.lock.Release()) }
