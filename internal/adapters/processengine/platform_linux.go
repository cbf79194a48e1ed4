package processengine

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

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
