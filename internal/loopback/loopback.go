// Package loopback recognizes hosts that only this machine can reach.
package loopback

import (
	"net/netip"
	"strings"
)

// IsHost reports whether the host is localhost or a loopback IP address. It does not
// resolve names, and host has no port and no brackets.
func IsHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
