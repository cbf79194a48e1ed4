//go:build !linux

package processengine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

func checkSupported() error {
	return fmt.Errorf("the process engine needs Linux and does not support %s; use Docker: %w", runtime.GOOS, errors.ErrUnsupported)
}

func setSession(*exec.Cmd) {}

func newMemoryFile(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func fileID(os.FileInfo) (device, inode uint64) { return 0, 0 }

func signalOf(string) syscall.Signal { return 0 }
