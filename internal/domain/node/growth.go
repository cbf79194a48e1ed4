package node

import (
	"fmt"
	"strings"
)

// GrowthShortage returns why a node has no space for a game that it runs already and that requests other resources
// from now on, and an empty text if it has. used is what the other games of the node use, and current is what the game
// has requested so far. It checks only the resources that grow.
func (c Capacity) GrowthShortage(used Usage, current, requested Resources) string {
	var reasons []string
	if c.CPUs > 0 && requested.CPUs > current.CPUs+cpuTolerance && used.CPUs+requested.CPUs > c.CPUs+cpuTolerance {
		reasons = append(reasons, growthText(formatCPUs(max(c.CPUs-used.CPUs, 0)), formatCPUs(c.CPUs), "CPUs", formatCPUs(requested.CPUs)))
	}
	if c.MemoryBytes > 0 && requested.MemoryBytes > current.MemoryBytes && requested.MemoryBytes > c.MemoryBytes-used.MemoryBytes {
		free := max(c.MemoryBytes-used.MemoryBytes, 0)
		reasons = append(reasons, growthText(formatBytes(free), formatBytes(c.MemoryBytes), "memory", formatBytes(requested.MemoryBytes)))
	}
	for _, p := range []struct {
		protocol                 string
		used, current, requested int
	}{{"tcp", used.TCPPorts, current.TCPPorts, requested.TCPPorts}, {"udp", used.UDPPorts, current.UDPPorts, requested.UDPPorts}} {
		if c.Ports > 0 && p.requested > p.current && p.used+p.requested > c.Ports {
			reasons = append(reasons, growthText(max(c.Ports-p.used, 0), c.Ports, p.protocol+" ports", p.requested))
		}
	}
	return strings.Join(reasons, " and ")
}

// growthText is the reason for one resource. What is free includes what the game has requested so far.
func growthText(free, capacity any, resource string, requested any) string {
	return fmt.Sprintf("has %v of %v %s free for the game and the game requests %v", free, capacity, resource, requested)
}

// IsMoreThan reports whether r has more of any resource than current.
func (r Resources) IsMoreThan(current Resources) bool {
	return r.CPUs > current.CPUs+cpuTolerance || r.MemoryBytes > current.MemoryBytes || r.TCPPorts > current.TCPPorts || r.UDPPorts > current.UDPPorts
}

// Max returns the larger amount of each resource of r and other.
func (r Resources) Max(other Resources) Resources {
	return Resources{
		CPUs: max(r.CPUs, other.CPUs), MemoryBytes: max(r.MemoryBytes, other.MemoryBytes),
		TCPPorts: max(r.TCPPorts, other.TCPPorts), UDPPorts: max(r.UDPPorts, other.UDPPorts),
	}
}

// Remove removes one game, which Add has added.
func (u *Usage) Remove(r Resources) {
	u.Games--
	u.CPUs = max(u.CPUs-r.CPUs, 0)
	u.MemoryBytes -= r.MemoryBytes
	u.TCPPorts -= r.TCPPorts
	u.UDPPorts -= r.UDPPorts
}
