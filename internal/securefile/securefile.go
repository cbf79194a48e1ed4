// Package securefile reads files with keys, passwords and authorities. It rejects a file that
// other users of the machine can read or replace.
package securefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// maxBytes bounds the size of a file. Keys, passwords and CA bundles are far smaller.
const maxBytes = 1 << 20

// The bits of a mode that a file must not have.
const (
	forbiddenForTrusted fs.FileMode = 0o002
	forbiddenForSecret  fs.FileMode = 0o027 // the group may read
	forbiddenForPrivate fs.FileMode = 0o077
)

// ReadSecret returns the content of a file with a key, a password or a token. After symbolic
// links are followed, the file must be regular, belong to this user or root, be inaccessible
// to other users, and not be writable by its group. Its size is at most 1 MiB. The error
// names the file and what to change.
func ReadSecret(name string) ([]byte, error) { return read(name, forbiddenForSecret, "chmod 600 ") }

// ReadPrivate returns the content of a file that belongs to one user. It is like ReadSecret,
// except that the group of the file may not read it either.
func ReadPrivate(name string) ([]byte, error) { return read(name, forbiddenForPrivate, "chmod 600 ") }

// ReadTrusted returns the content of a file that is not secret but must not be replaced by
// others, such as the certificates of authorities. It is like ReadSecret, except that every
// user may read the file.
func ReadTrusted(name string) ([]byte, error) { return read(name, forbiddenForTrusted, "chmod o-w ") }

func read(name string, forbidden fs.FileMode, remedy string) (content []byte, err error) {
	// Without O_NONBLOCK, opening a named pipe would wait for a writer.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// The open file is checked: a check of the name could see another file.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := check(info, forbidden); err != nil {
		if info.Mode().IsRegular() && info.Mode().Perm()&forbidden != 0 {
			return nil, fmt.Errorf("%s: %w; run %s%s", name, err, remedy, name)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	content, err = io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err == nil && len(content) > maxBytes {
		err = fmt.Errorf("%s: the file is larger than %d bytes", name, maxBytes)
	}
	if err != nil {
		return nil, err
	}
	return content, nil
}

// check returns an error if the file is not regular, or if its owner or mode let another user
// access it.
func check(info fs.FileInfo, forbidden fs.FileMode) error {
	mode := info.Mode()
	if !mode.IsRegular() {
		return fmt.Errorf("it is not a regular file (mode %s); name a file, or a link to one", mode)
	}
	if uid, isForeign := ForeignOwner(info); isForeign {
		return fmt.Errorf("the file belongs to user id %d, not to this user (%d) or root; change its owner with chown", uid, os.Geteuid())
	}
	switch found := mode.Perm() & forbidden; {
	case found&0o007 != 0:
		return fmt.Errorf("mode %04o lets every user of this machine access it", mode.Perm())
	case found&0o020 != 0:
		return fmt.Errorf("mode %04o lets its group change it", mode.Perm())
	case found != 0:
		return fmt.Errorf("mode %04o lets its group access it", mode.Perm())
	default:
		return nil
	}
}
