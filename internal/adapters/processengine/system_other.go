//go:build !linux

package processengine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	goruntime "runtime"
)

var errUnsupported = errors.ErrUnsupported

func supported() error {
	return fmt.Errorf("games run as local processes on Linux only, not on %s; use Docker: %w", goruntime.GOOS, errUnsupported)
}

func detached(*exec.Cmd)                                  {}
func makePipe(string) error                               { return errUnsupported }
func readPipe(string) (*os.File, error)                   { return nil, errUnsupported }
func holdPipe(string) (*os.File, error)                   { return nil, errUnsupported }
func held(*os.File) (alive bool, words []byte, err error) { return false, nil, errUnsupported }
