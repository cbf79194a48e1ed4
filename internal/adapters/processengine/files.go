package processengine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// writeDurably makes the file appear whole or not at all, at whatever moment the
// process or the machine dies, and with it whatever was done in its directory before.
func writeDurably(name string, content []byte) error {
	draft := name + ".new"
	f, err := os.OpenFile(draft, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return moveDurably(draft, name)
}

// moveDurably renames within one directory.
func moveDurably(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// deleteFiles deletes files that need not be there.
func deleteFiles(names ...string) error {
	var errs []error
	for _, name := range names {
		if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
