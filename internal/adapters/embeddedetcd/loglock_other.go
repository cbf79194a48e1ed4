//go:build !linux

package embeddedetcd

import "context"

// waitForLogLocks does nothing: only the locks of Linux outlive their files.
func (dataDir) waitForLogLocks(context.Context) {}
