package regions

import (
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
	tb testing.TB

	mu      sync.Mutex
	paths   map[route]*path
	regions map[int]string // the region of each registered process
	names   map[string]bool
}

// NewNetwork returns a network without delays and faults. Its proxies are closed when the
// test ends.
func NewNetwork(tb testing.TB) *Network {
	return &Network{tb: tb, paths: map[route]*path{}, regions: map[int]string{}, names: map[string]bool{}}
}

// SetRoundTrip sets the round trip between two regions, half of it for each direction.
func (n *Network) SetRoundTrip(a, b string, roundTrip time.Duration) {
	for _, traffic := range allTraffic {
		n.path(route{traffic, a, b}).setDelay(roundTrip / 2)
		n.path(route{traffic, b, a}).setDelay(roundTrip / 2)
	}
}

// BlockFrom blocks everything of these kinds that the region sends to other regions. No
// kind means every kind.
func (n *Network) BlockFrom(region string, kinds ...Traffic) {
	n.setBlocked(true, kinds, func(r route) bool { return r.from == region })
}

// Isolate blocks everything of these kinds between the region and other regions. No
// kind means every kind.
func (n *Network) Isolate(region string, kinds ...Traffic) {
	n.setBlocked(true, kinds, func(r route) bool { return r.from == region || r.to == region })
}

// Repair ends every fault.
func (n *Network) Repair() { n.setBlocked(false, allTraffic, func(route) bool { return true }) }

func (n *Network) setBlocked(blocked bool, kinds []Traffic, matches func(route) bool) {
	if len(kinds) == 0 {
		kinds = allTraffic
	}
	for _, traffic := range kinds {
		for from := range n.regionNames() {
			for to := range n.regionNames() {
				if r := (route{traffic, from, to}); from != to && matches(r) {
					n.path(r).setBlocked(blocked)
				}
			}
		}
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
	n.startIn(region, func() int { return pid })
}

// startIn starts a process of the region. Connections of the process wait until it is
// registered.
func (n *Network) startIn(region string, start func() (pid int)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names[region] = true
	n.regions[start()] = region
}

// regionOf returns the region of the process that owns the client's end of a connection,
// and local for a process that is not registered.
func (n *Network) regionOf(client, server int, local string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	inode := socketInode(client, server)
	for pid, region := range n.regions {
		if inode != "" && ownsSocket(pid, inode) {
			return region
		}
	}
	return local
}
