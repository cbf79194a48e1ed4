package network

import (
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
)

// socketInode returns the inode of the local TCP socket with these addresses, and "" if there is none. It
// looks up one socket: the table of all of them is long while many clusters of tests run.
func socketInode(local, remote net.Addr) string {
	socket, err := netlink.SocketGet(local, remote)
	if err != nil {
		return ""
	}
	return fmt.Sprint(socket.INode)
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
