//go:build !linux

package daemon

import "time"

// setUserTimeout does nothing: keepalive probes detect only peers of idle connections.
func setUserTimeout(uintptr, time.Duration) error { return nil }

// openFilesLimit returns the limit for which the defaults of the API are made.
func openFilesLimit() (uint64, error) { return 65_536, nil }
