// Package cputime measures the CPU time of this process.
package cputime

import (
	"syscall"
	"time"
)

// OfProcess returns the CPU time, user and system, that all threads of this process have
// used since its start.
func OfProcess() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic("getrusage of this process: " + err.Error())
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
