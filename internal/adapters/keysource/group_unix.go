//go:build unix

package keysource

import (
	"os/exec"
	"syscall"
)

// killGroup makes the end of the context kill all processes of the command.
func killGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
