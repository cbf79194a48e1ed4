package processengine

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"galaxy/rtmanager/internal/adapters/processengine/internal/procfs"
)

// checkSupported returns an error if the kernel has no process handles (pidfd).
func checkSupported() error {
	handle, err := procfs.Open(os.Getpid())
	if err != nil {
		return fmt.Errorf("the process engine needs Linux 5.4 or newer: %w", err)
	}
	return handle.Release()
}

// setSession makes the command run in a session of its own. It then has no terminal, and
// receives no signal that is sent to the process group of the daemon.
func setSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// newMemoryFile returns a new file that exists in memory only.
func newMemoryFile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create a file in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// fileID returns what identifies the file on this machine.
func fileID(info os.FileInfo) (device, inode uint64) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	return stat.Dev, stat.Ino
}

// signalOf returns the signal of the name, and 0 if there is none.
func signalOf(name string) syscall.Signal { return unix.SignalNum(name) }
