package securefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

const (
	// writableByOthers are the bits of a directory's mode that let other users replace files.
	writableByOthers = 0o022
	// tooOpen are the bits of a file's mode that let other users change it, or users outside
	// its group read it. A group may read the file: collectors of logs need that.
	tooOpen = 0o137
)

// OpenDir opens a directory of files that only the daemon may replace. It returns an error if
// other users could replace files in it.
func OpenDir(path string) (*os.Root, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the directory %s: %w", path, err)
	}
	info, err := root.Stat(".")
	switch {
	case err != nil:
	case info.Mode().Perm()&writableByOthers != 0:
		err = fmt.Errorf("other users can write to the directory %s (mode %04o); remove their permission with `chmod go-w`", path, info.Mode().Perm())
	case hasForeignOwner(info):
		err = fmt.Errorf("the directory %s belongs to another user; use one that belongs to the user of the daemon or to root", path)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// OpenAppend opens the file to append to it, and creates it with mode 0600. It follows no
// symbolic link, and returns an error for a file that other users can read or write.
func OpenAppend(root *os.Root, name string) (*os.File, error) {
	before, err := root.Lstat(name)
	if err == nil && !before.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	flags := os.O_WRONLY | os.O_APPEND
	if errors.Is(err, fs.ErrNotExist) {
		flags |= os.O_CREATE | os.O_EXCL
	}
	file, err := root.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case before != nil && !os.SameFile(before, info):
		err = fmt.Errorf("%s was replaced while it was opened", name)
	case info.Mode().Perm()&tooOpen != 0:
		err = fmt.Errorf("other users can use %s (mode %04o); restrict it with `chmod 600`", name, info.Mode().Perm())
	case hasForeignOwner(info):
		err = fmt.Errorf("%s belongs to another user", name)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// hasForeignOwner reports whether the file belongs neither to this user nor to root.
func hasForeignOwner(info fs.FileInfo) bool {
	_, isForeign := ForeignOwner(info)
	return isForeign
}
