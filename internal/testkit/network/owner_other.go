//go:build !linux

package network

import "net"

// socketInode returns "": all processes are in the region of the server.
func socketInode(_, _ *net.TCPAddr) string { return "" }

// ownsSocket returns false.
func ownsSocket(int, string) bool { return false }
