//go:build !unix

package gamecmd

import "os"

// notifySizeChanges returns a channel that never receives: the system has no signal for sizes.
func notifySizeChanges() (changes <-chan os.Signal, stop func()) { return nil, func() {} }
