// Package atomicfile replaces files atomically. Readers find either the old file or the
// complete new one, also after a crash.
package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
)

// Write replaces the content of the file, which gets mode 0600 if it is new. After a crash
// of the process or the machine the file is either unchanged or complete. Write also makes
// earlier changes of the file's directory durable. It first writes the temporary file NAME.new.
func Write(name string, content []byte) error {
	tempName := name + ".new"
	f, err := os.OpenFile(tempName, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return Rename(tempName, name)
}

// Rename renames a file or directory within one directory. When it has returned, the
// rename survives a crash of the machine.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}
