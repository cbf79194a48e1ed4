package output

import (
	"fmt"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
)

// GameStats is what a game uses, and the number of CPUs between two measurements.
type GameStats struct {
	api.Stats
	CPUs *float64 `json:"cpus,omitempty"` // nil if it is not known
}

// Stats prints what games use, and the sums of each node.
func (p *Printer) Stats(games []GameStats) error {
	if done, err := p.Encode(struct {
		Items []GameStats `json:"items"`
	}{games}); done {
		return err
	}
	t := &render.Table{Header: []string{"GAME", "NODE", "CPUS", "MEMORY", "LIMIT", "PROCESSES"}}
	var nodes []string
	sums := map[string]*nodeSum{}
	for _, g := range games {
		ref := g.Region + "/" + g.Node
		t.Add(render.Cell(g.GameID), render.Cell(ref), cpuText(g.CPUs), sizeText(g.MemoryBytes), sizeText(g.MemoryLimitBytes), fmt.Sprint(g.Processes))
		if sums[ref] == nil {
			sums[ref] = &nodeSum{}
			nodes = append(nodes, ref)
		}
		sums[ref].add(g)
	}
	for _, ref := range nodes {
		if sum := sums[ref]; sum.games > 1 {
			t.Add(fmt.Sprintf("(%d games)", sum.games), render.Cell(ref), cpuText(&sum.cpus), sizeText(sum.memory), "-", fmt.Sprint(sum.processes))
		}
	}
	return p.printTable(t)
}

// nodeSum is what the listed games of one node use together.
type nodeSum struct {
	games, processes int
	cpus             float64
	memory           int64
}

func (s *nodeSum) add(g GameStats) {
	s.games++
	s.processes += g.Processes
	s.memory += g.MemoryBytes
	if g.CPUs != nil {
		s.cpus += *g.CPUs
	}
}

func cpuText(cpus *float64) string {
	if cpus == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *cpus)
}

// sizeText returns a size in MiB.
func sizeText(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1fMi", float64(bytes)/(1<<20))
}
