//go:build !linux

package livepipe

import (
	"errors"
	"os"
)

// Create returns errors.ErrUnsupported.
func Create(string) error { return errors.ErrUnsupported }

func openReader(string) (*os.File, error) { return nil, errors.ErrUnsupported }

// IsHeld returns errors.ErrUnsupported.
func IsHeld(*os.File) (isHeld bool, messages []byte, err error) {
	return false, nil, errors.ErrUnsupported
}
