package diskspace

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Of returns the usage of the file system that contains the path.
func Of(path string) (Usage, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(path, &stat); err != nil {
		return Usage{}, fmt.Errorf("free space of %s: %w", path, err)
	}
	block := uint64(stat.Bsize)
	return Usage{Free: stat.Bavail * block, Total: stat.Blocks * block}, nil
}

// keepSize is FALLOC_FL_KEEP_SIZE of linux/falloc.h.
const keepSize = 1

// Allocate gives the file the blocks of its first size bytes. It changes neither content
// nor length, so another process may use the file at the same time. It does nothing on a
// file system that cannot allocate space.
func Allocate(file *os.File, size int64) error {
	err := syscall.Fallocate(int(file.Fd()), keepSize, 0, size)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return nil
	}
	return os.NewSyscallError("fallocate", err)
}
