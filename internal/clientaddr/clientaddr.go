// Package clientaddr identifies clients by the address of their connection.
package clientaddr

import "net/netip"

// networkBits is the size of the IPv6 network that one client controls: it may use every
// address of its /64 (RFC 6177).
const networkBits = 64

// Parse returns the address of a HOST:PORT or of an address, such as http.Request.RemoteAddr.
// It returns the zero Addr for another text, such as the name of a unix socket.
func Parse(text string) netip.Addr {
	if addrPort, err := netip.ParseAddrPort(text); err == nil {
		return addrPort.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// Network returns the network to count a client's requests by: the address itself for IPv4,
// and the /64 for IPv6.
func Network(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = networkBits
	}
	network, _ := addr.Prefix(bits) // it fails for the zero Addr only, whose network is zero
	return network
}

// NetworkText returns the network as a text: an address, or an IPv6 network such as
// 2001:db8::/64. It returns an unparsable text unchanged.
func NetworkText(text string) string {
	addr := Parse(text)
	switch {
	case !addr.IsValid():
		return text
	case addr.Is4():
		return addr.String()
	}
	return Network(addr).String()
}
