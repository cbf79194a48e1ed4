package connlimit

import (
	"net"
	"net/netip"
	"sync"

	"galaxy/rtmanager/internal/clientaddr"
)

// excessPerAddress is how many connections beyond the limit of its address are accepted, to
// respond with a problem.
const excessPerAddress = 4

// addressLimit counts the open connections of each address, so that one address cannot take
// all connections of the server. It is safe for concurrent use.
type addressLimit struct {
	limit int // 0 for none

	mu   sync.Mutex
	open map[netip.Prefix]int
}

// add counts a new connection, and returns how many its address has beyond the limit.
func (l *addressLimit) add(conn net.Conn) (excess int) {
	if l.limit == 0 {
		return 0
	}
	network := networkOf(conn)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = map[netip.Prefix]int{}
	}
	l.open[network]++
	return max(0, l.open[network]-l.limit)
}

// remove counts the end of a connection.
func (l *addressLimit) remove(conn net.Conn) {
	if l.limit == 0 {
		return
	}
	network := networkOf(conn)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[network]--; l.open[network] <= 0 {
		delete(l.open, network)
	}
}

// networkOf returns the network of the peer; all peers without an IP address have one.
func networkOf(conn net.Conn) netip.Prefix {
	return clientaddr.Network(clientaddr.Parse(conn.RemoteAddr().String()))
}
