package processengine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

// supported asks for the handles by which a process is told from a later one of its
// pid.
func supported() error {
	self, err := openProcess(os.Getpid())
	if err != nil {
		return fmt.Errorf("games run as local processes on Linux 5.4 or newer only: %w", err)
	}
	return self.Release()
}

// detached puts the command into a session of its own, which no terminal and no
// signal to the daemon's group reaches.
func detached(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func makePipe(name string) error {
	err := syscall.Mkfifo(name, 0o600)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make pipe %s: %w", name, err)
	}
	return nil
}

// readPipe opens the pipe's end for reading, whether anybody writes or not.
func readPipe(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// holdPipe opens the pipe as one who writes, and reads too: what is written then
// never fails for want of a reader.
func holdPipe(name string) (*os.File, error) { return os.OpenFile(name, os.O_RDWR, 0) }

// held reports, at once, whether anybody has the pipe open for writing, and what
// they wrote that was not read yet.
func held(pipe *os.File) (alive bool, words []byte, err error) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return false, nil, err
	}
	buffer := make([]byte, 64)
	n := 0
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		n, failed = syscall.Read(int(fd), buffer)
		return true
	})
	switch {
	case err != nil:
		return false, nil, err
	case errors.Is(failed, syscall.EAGAIN), errors.Is(failed, syscall.EINTR):
		return true, nil, nil
	case failed != nil:
		return false, nil, failed
	}
	return n > 0, buffer[:n], nil
}
