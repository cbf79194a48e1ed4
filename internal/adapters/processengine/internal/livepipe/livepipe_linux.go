package livepipe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Create creates the pipe, if it does not exist.
func Create(name string) error {
	err := syscall.Mkfifo(name, 0o600)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create pipe %s: %w", name, err)
	}
	return nil
}

func openReader(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// IsHeld reports whether a process has the pipe open for writing, and returns messages that
// were not read before. It does not block.
func IsHeld(pipe *os.File) (isHeld bool, messages []byte, err error) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return false, nil, err
	}
	buffer := make([]byte, ReadBufferSize)
	n := 0
	var readErr error
	err = raw.Read(func(fd uintptr) bool {
		n, readErr = syscall.Read(int(fd), buffer)
		return true
	})
	switch {
	case err != nil:
		return false, nil, err
	case errors.Is(readErr, syscall.EAGAIN), errors.Is(readErr, syscall.EINTR):
		return true, nil, nil
	case readErr != nil:
		return false, nil, readErr
	}
	return n > 0, buffer[:n], nil
}
