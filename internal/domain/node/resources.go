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
}

// Usage is what the games of a node use: those that run, and those that are being started.
type Usage struct {
	CPUs        float64 `json:"cpus,omitempty" doc:"CPUs that the games of the node request"`
	MemoryBytes int64   `json:"memory_bytes,omitempty" doc:"Bytes of memory that the games of the node request"`
	Games       int     `json:"games,omitempty" doc:"The number of games that run or are being started"`
}

// Resources is what one game requests of its node.
type Resources struct {
	CPUs        float64 `json:"cpus,omitempty"`
	MemoryBytes int64   `json:"memory_bytes,omitempty"`
}

// Add adds one game. A sum of memory that is too large for its type is the largest number.
func (u *Usage) Add(r Resources) {
	u.Games++
	u.CPUs += r.CPUs
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
	return strings.Join(reasons, " and ")
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
