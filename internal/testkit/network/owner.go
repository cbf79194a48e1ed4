package network

import (
	"fmt"
	"os"
	"strings"
)

// socketInode returns the inode of the local TCP socket with these ports, and "" if there
// is none.
func socketInode(localPort, remotePort int) string {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		content, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(content)) {
			fields := strings.Fields(line)
			if len(fields) > 9 && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", localPort)) &&
				strings.HasSuffix(fields[2], fmt.Sprintf(":%04X", remotePort)) {
				return fields[9]
			}
		}
	}
	return ""
}

// ownsSocket reports whether the process has the socket open.
func ownsSocket(pid int, inode string) bool {
	dir := fmt.Sprintf("/proc/%d/fd/", pid)
	files, err := os.ReadDir(dir)
	if err != nil {
		return false // the process has exited
	}
	for _, file := range files {
		if target, err := os.Readlink(dir + file.Name()); err == nil && target == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}
