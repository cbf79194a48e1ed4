package node

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Capacity is what the games of a node may use together. A member that is 0 is not limited.
type Capacity struct {
	CPUs        float64 `json:"cpus,omitempty" doc:"CPUs; absent if not limited"`
	MemoryBytes int64   `json:"memory_bytes,omitempty" doc:"Bytes of memory; absent if not limited"`
	Games       int     `json:"games,omitempty" doc:"The number of games; absent if not limited"`
	Ports       int     `json:"ports,omitzero" doc:"The number of ports for players of each protocol; absent if the node has no range of ports"`
}

// Usage is what the games of a node use: those that run, and those that are being started.
type Usage struct {
	CPUs        float64 `json:"cpus,omitempty" doc:"CPUs that the games of the node request"`
	MemoryBytes int64   `json:"memory_bytes,omitempty" doc:"Bytes of memory that the games of the node request"`
	Games       int     `json:"games,omitempty" doc:"The number of games that run, are being started or wait for their restart after a crash"`
	TCPPorts    int     `json:"tcp_ports,omitzero" doc:"The number of TCP ports of the range of the node that games use"`
	UDPPorts    int     `json:"udp_ports,omitzero" doc:"The number of UDP ports of the range of the node that games use"`
}

// Resources is what one game requests of its node.
type Resources struct {
	CPUs        float64 `json:"cpus,omitempty"`
	MemoryBytes int64   `json:"memory_bytes,omitempty"`
	// TCPPorts and UDPPorts are the numbers of ports of the range of the node.
	TCPPorts int `json:"tcp_ports,omitzero"`
	UDPPorts int `json:"udp_ports,omitzero"`
}

// Add adds one game. A sum of memory that is too large for its type is the largest number.
func (u *Usage) Add(r Resources) {
	u.Games++
	u.CPUs += r.CPUs
	u.TCPPorts += r.TCPPorts
	u.UDPPorts += r.UDPPorts
	if r.MemoryBytes > math.MaxInt64-max(u.MemoryBytes, 0) {
		u.MemoryBytes = math.MaxInt64
		return
	}
	u.MemoryBytes += r.MemoryBytes
}

// cpuTolerance is the difference of two sums of CPUs that is due to their representation.
const cpuTolerance = 1e-6

// Shortage returns why a node with that usage has no space for one more game, and an empty
// text if it has.
func (c Capacity) Shortage(used Usage, r Resources) string {
	var reasons []string
	if c.Games > 0 && used.Games+1 > c.Games {
		reasons = append(reasons, fmt.Sprintf("has %d of %d games", used.Games, c.Games))
	}
	if c.CPUs > 0 && r.CPUs > 0 && used.CPUs+r.CPUs > c.CPUs+cpuTolerance {
		reasons = append(reasons, fmt.Sprintf("has %s of %s CPUs in use and the game requests %s",
			formatCPUs(used.CPUs), formatCPUs(c.CPUs), formatCPUs(r.CPUs)))
	}
	if c.MemoryBytes > 0 && r.MemoryBytes > 0 && r.MemoryBytes > c.MemoryBytes-used.MemoryBytes {
		reasons = append(reasons, fmt.Sprintf("has %s of %s memory in use and the game requests %s",
			formatBytes(used.MemoryBytes), formatBytes(c.MemoryBytes), formatBytes(r.MemoryBytes)))
	}
	for _, p := range []struct {
		protocol        string
		used, requested int
	}{{"tcp", used.TCPPorts, r.TCPPorts}, {"udp", used.UDPPorts, r.UDPPorts}} {
		if c.Ports > 0 && p.requested > 0 && p.used+p.requested > c.Ports {
			reasons = append(reasons, fmt.Sprintf("has %d of %d %s ports in use and the game requests %d", p.used, c.Ports, p.protocol, p.requested))
		}
	}
	return strings.Join(reasons, " and ")
}

// IsLimitFor reports whether the capacity limits something that the game requests.
func (c Capacity) IsLimitFor(r Resources) bool {
	return c.Games > 0 || c.CPUs > 0 && r.CPUs > 0 || c.MemoryBytes > 0 && r.MemoryBytes > 0 || c.Ports > 0 && r.TCPPorts+r.UDPPorts > 0
}

// Share returns the largest share of a limited resource that the usage has of the capacity, 0
// if nothing is limited.
func (c Capacity) Share(used Usage) float64 {
	var shares []float64
	if c.Games > 0 {
		shares = append(shares, float64(used.Games)/float64(c.Games))
	}
	if c.CPUs > 0 {
		shares = append(shares, used.CPUs/c.CPUs)
	}
	if c.MemoryBytes > 0 {
		shares = append(shares, float64(used.MemoryBytes)/float64(c.MemoryBytes))
	}
	return slices.Max(append(shares, 0))
}

// formatCPUs returns a number of CPUs with at most three digits after the point.
func formatCPUs(cpus float64) string {
	return strconv.FormatFloat(math.Round(1000*cpus)/1000, 'f', -1, 64)
}

// formatBytes returns a number of bytes in the largest binary unit that it reaches.
func formatBytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	size, unit := float64(n), 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	return strconv.FormatFloat(math.Round(10*size)/10, 'f', -1, 64) + " " + units[unit]
}
