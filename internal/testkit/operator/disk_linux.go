package operator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Disk is a small file system.
type Disk struct {
	// Dir is where it is mounted. It has no subdirectories at first.
	Dir string
}

// MountDisk mounts a disk of the size in bytes on an empty directory. It fails without the
// permission to mount. The caller unmounts it.
func MountDisk(dir string, bytes int64) (*Disk, error) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		return nil, fmt.Errorf("mount a small disk on %s: %w", dir, err)
	}
	return &Disk{Dir: dir}, nil
}

// Unmount unmounts the disk and discards its files.
func (d *Disk) Unmount() error { return syscall.Unmount(d.Dir, syscall.MNT_DETACH) }

// Fill writes a file until the disk is full.
func (d *Disk) Fill() error {
	file, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for block := make([]byte, 4<<10); err == nil; {
		_, err = file.Write(block)
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = nil
	}
	return errors.Join(err, file.Close())
}

// Free removes the file of Fill.
func (d *Disk) Free() error { return os.Remove(d.filler()) }

func (d *Disk) filler() string { return filepath.Join(d.Dir, "filler") }
