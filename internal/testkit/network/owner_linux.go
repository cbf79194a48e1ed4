package network

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// The parts of the kernel's messages about sockets: inet_diag_req_v2 and inet_diag_msg.
const (
	requestSize    = 56
	addressSize    = 16
	offsetPorts    = 8
	offsetSource   = 12
	offsetDest     = offsetSource + addressSize
	offsetCookie   = 48
	offsetInode    = 68
	minMessageSize = offsetInode + 4
)

// socketInode returns the inode of the TCP socket with these addresses of IPv4, and "" if there is none. It
// looks up one socket: the table of all of them is long while clusters of tests run.
func socketInode(local, remote *net.TCPAddr) string {
	request := make([]byte, requestSize)
	request[0], request[1] = unix.AF_INET, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(request[offsetPorts:], uint16(local.Port))    //nolint:gosec // a port
	binary.BigEndian.PutUint16(request[offsetPorts+2:], uint16(remote.Port)) //nolint:gosec // a port
	copy(request[offsetSource:], local.IP.To4())
	copy(request[offsetDest:], remote.IP.To4())
	for i := range 8 {
		request[offsetCookie+i] = 0xff // any
	}
	query := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, 0)
	query.AddRawData(request)
	messages, err := query.Execute(unix.NETLINK_SOCK_DIAG, nl.SOCK_DIAG_BY_FAMILY)
	if err != nil || len(messages) == 0 || len(messages[0]) < minMessageSize {
		return ""
	}
	return fmt.Sprint(binary.NativeEndian.Uint32(messages[0][offsetInode:]))
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
