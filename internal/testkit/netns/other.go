//go:build !linux

package netns

import (
	"errors"
	"os/exec"
)

// The directions of packets.
const (
	In  = "input"
	Out = "output"
)

var errNotSupported = errors.New("network namespaces need Linux")

// Bridge is not supported on this system.
type Bridge struct{}

// NewBridge fails.
func NewBridge() (*Bridge, error) { return nil, errNotSupported }

// Addr returns "".
func (*Bridge) Addr() string { return "" }

// Close does nothing.
func (*Bridge) Close() error { return nil }

// AddHost fails.
func (*Bridge) AddHost() (*Host, error) { return nil, errNotSupported }

// Host is not supported on this system.
type Host struct{ Addr string }

// Start fails.
func (*Host) Start(*exec.Cmd) error { return errNotSupported }

// Drop fails.
func (*Host) Drop(float64, ...string) error { return errNotSupported }

// Repair fails.
func (*Host) Repair() error { return errNotSupported }
