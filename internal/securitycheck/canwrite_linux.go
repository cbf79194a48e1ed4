package securitycheck

import "syscall"

// canWrite reports whether this user may write to the file or socket.
func canWrite(path string) bool {
	const writable = 2 // W_OK
	return syscall.Access(path, writable) == nil
}
