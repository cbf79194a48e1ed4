package procfs

import "os"

// HasPipeOpen reports whether the process has the pipe open for writing. It returns false for
// the calling process.
func HasPipeOpen(pid int, pipe os.FileInfo) bool {
	if pid <= 1 || pid == os.Getpid() {
		return false
	}
	if isWritablePipe(pid, "3", pipe) {
		return true // the descriptor at the start of a game; the game can change it
	}
	descriptors, err := os.ReadDir(path(pid, "fd"))
	if err != nil {
		return false
	}
	for _, descriptor := range descriptors {
		if isWritablePipe(pid, descriptor.Name(), pipe) {
			return true
		}
	}
	return false
}

// isWritablePipe reports whether the descriptor of the process is the pipe, open for writing.
func isWritablePipe(pid int, descriptor string, pipe os.FileInfo) bool {
	name := path(pid, "fd/"+descriptor)
	file, err := os.Stat(name)
	if err != nil || !os.SameFile(file, pipe) {
		return false
	}
	link, err := os.Lstat(name) // its mode is the mode of the descriptor; see proc_pid_fd(5)
	return err == nil && link.Mode().Perm()&0o200 != 0
}
