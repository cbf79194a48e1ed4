package network

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Traffic is a kind of traffic, which may have faults of its own.
type Traffic string

// The kinds of traffic.
const (
	Peers   Traffic = "peers"   // between etcd members
	Clients Traffic = "clients" // from daemons to etcd members
	API     Traffic = "api"     // between daemons
)

// allTraffic lists every kind of traffic.
var allTraffic = []Traffic{Peers, Clients, API}

// route identifies a path.
type route struct {
	traffic  Traffic
	from, to string
}

// Network is the network between regions. Traffic within a region has no delay. It is safe
// for concurrent use.
type Network struct {
	tb   testing.TB
	addr string // on which proxies listen

	mu      sync.Mutex
	hosts   map[string]string // the region of each address with one
	paths   map[route]*path
	regions map[int]string // the region of each registered process
	names   map[string]bool
	links   map[*link]bool // the open connections of all proxies
}

// New returns a network without delays and faults. Its proxies are closed when the test
// ends.
func New(tb testing.TB) *Network { return NewAt(tb, "127.0.0.1") }

// NewAt is New with proxies that listen on an address of this machine.
func NewAt(tb testing.TB, addr string) *Network {
	return &Network{tb: tb, addr: addr, hosts: map[string]string{}, paths: map[route]*path{}, regions: map[int]string{}, names: map[string]bool{}, links: map[*link]bool{}}
}

// SetRoundTrip sets the round trip between two regions, half of it for each direction.
func (n *Network) SetRoundTrip(a, b string, roundTrip time.Duration) {
	for _, traffic := range allTraffic {
		n.path(route{traffic, a, b}).setDelay(roundTrip / 2)
		n.path(route{traffic, b, a}).setDelay(roundTrip / 2)
	}
}

func (n *Network) regionNames() map[string]bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	names := map[string]bool{}
	for name := range n.names {
		names[name] = true
	}
	return names
}

func (n *Network) path(r route) *path {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names[r.from], n.names[r.to] = true, true
	if n.paths[r] == nil {
		n.paths[r] = newPath()
	}
	return n.paths[r]
}

// Register makes the connections of a process come from the region, such as those of the
// test itself.
func (n *Network) Register(region string, pid int) {
	_ = n.StartIn(region, func() (int, error) { return pid, nil })
}

// StartIn starts a process of the region, and returns the error of start. Connections of the
// process wait until it is registered.
func (n *Network) StartIn(region string, start func() (pid int, err error)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names[region] = true
	pid, err := start()
	if err == nil {
		n.regions[pid] = region
	}
	return err
}

// AddHost makes the connections from an address come from the region.
func (n *Network) AddHost(region, addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names[region], n.hosts[addr] = true, region
}

// Unregister removes a process that has exited, before the kernel uses its id for another one.
func (n *Network) Unregister(pid int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.regions, pid)
}

// regionOf returns the region of the address of a client, or of the process that owns its end of the connection,
// and local for a process that is not registered.
func (n *Network) regionOf(client net.Conn, local string) string {
	n.mu.Lock() // also waits for a process that is starting
	defer n.mu.Unlock()
	source, isTCP := client.RemoteAddr().(*net.TCPAddr)
	target, isTargetTCP := client.LocalAddr().(*net.TCPAddr)
	if !isTCP || !isTargetTCP {
		return local
	}
	if region, isHost := n.hosts[source.IP.String()]; isHost {
		return region
	}
	inode := socketInode(source, target)
	for pid, region := range n.regions {
		if inode != "" && ownsSocket(pid, inode) {
			return region
		}
	}
	return local
}
