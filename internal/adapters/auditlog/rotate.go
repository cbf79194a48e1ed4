package auditlog

import (
	"errors"
	"io/fs"
	"os"
	"strconv"

	"galaxy/rtmanager/internal/securefile"
)

// rotate renames the file to NAME.1, NAME.1 to NAME.2 and so on, removes what exceeds the
// number of files, and opens a new file. A crash in between leaves a gap in the numbers,
// which the next rotation closes. If the rotation fails, the current file stays in use.
func (f *File) rotate() error {
	oldest := f.cfg.MaxFiles - 1
	if err := ignoreNotExist(f.root.Remove(f.rotatedName(oldest))); err != nil {
		return err
	}
	for i := oldest - 1; i >= 0; i-- {
		if err := ignoreNotExist(f.root.Rename(f.rotatedName(i), f.rotatedName(i+1))); err != nil {
			return err
		}
	}
	return f.reopen()
}

// rotatedName returns the name of the file that i newer ones have replaced.
func (f *File) rotatedName(i int) string {
	if i == 0 {
		return f.name
	}
	return f.name + "." + strconv.Itoa(i)
}

// reopen opens or creates the file, and makes its name durable. The previous file stays
// in use if that fails.
func (f *File) reopen() error {
	file, err := securefile.OpenAppend(f.root, f.name)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		err = f.syncDir()
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if f.file != nil {
		_ = f.file.Close() // all of its lines are synced
	}
	f.file, f.size, f.allocated = file, info.Size(), 0
	f.isTorn = f.size > 0 && !f.endsWithNewline()
	return nil
}

// reopenIfMoved opens a new file if another program has renamed or removed the current one. It
// updates the size, which another program may have truncated.
func (f *File) reopenIfMoved() error {
	current, err := f.root.Lstat(f.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	open, errOpen := f.file.Stat()
	if err == nil && errOpen == nil && os.SameFile(current, open) {
		f.size = open.Size()
		return nil
	}
	return f.reopen()
}

func (f *File) syncDir() error {
	dir, err := f.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// endsWithNewline reports whether the last line of the file is complete.
func (f *File) endsWithNewline() bool {
	file, err := f.root.Open(f.name)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	last := make([]byte, 1)
	_, err = file.ReadAt(last, f.size-1)
	return err == nil && last[0] == '\n'
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
