package config

import (
	"fmt"
	"math"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/pflag"

	"galaxy/rtmanager/internal/domain/node"
)

// Placement is the part of Config by which games are placed on this node. It has no effect with
// EngineNone.
type Placement struct {
	// CapacityCPUs is the number of CPUs that games may request together; 0 means those of the
	// machine, and -1 no limit. Default 0.
	CapacityCPUs float64
	// CapacityMemory is the memory that games may request together, such as 16GiB; empty means
	// that of the machine, and NoMemoryLimit no limit. Default empty.
	CapacityMemory string
	// CapacityGames is the number of games that may run at once; 0 means no limit. Default 0.
	CapacityGames int64
	// NodeLabels are the labels of this node, KEY=VALUE each. Default none.
	NodeLabels []string
	// NodeTaints are the taints of this node, KEY=VALUE:EFFECT each. Default none.
	NodeTaints []string
}

// NoMemoryLimit is the CapacityMemory of a node without a limit.
const NoMemoryLimit = "none"

func (p *Placement) bindPlacement(f *pflag.FlagSet) {
	f.Float64Var(&p.CapacityCPUs, "capacity-cpus", p.CapacityCPUs, "`NUMBER` of CPUs that the games of this node may request together (0: those of the machine; -1: no limit)")
	f.StringVar(&p.CapacityMemory, "capacity-memory", p.CapacityMemory, "memory that the games of this node may request together, a `SIZE` such as 16GiB, or none for no limit (default that of the machine)")
	f.Int64Var(&p.CapacityGames, "capacity-games", p.CapacityGames, "`NUMBER` of games that may run on this node at once; 0 means no limit")
	f.StringSliceVar(&p.NodeLabels, "node-labels", p.NodeLabels, "labels of this node that the node selectors of games match, `KEY=VALUE,...`")
	f.StringSliceVar(&p.NodeTaints, "node-taints", p.NodeTaints, "taints that keep games off this node unless they tolerate them, `KEY=VALUE:EFFECT,...` with the effect NoSchedule or PreferNoSchedule")
}

func (p Placement) validatePlacement() error {
	var v violations
	v.addIf(!(p.CapacityCPUs >= 0 && p.CapacityCPUs <= math.MaxInt32 || p.CapacityCPUs == noLimit), "--capacity-cpus %v is not a number of CPUs; use -1 for no limit", p.CapacityCPUs)
	_, err := p.memoryBytes()
	v.add(err)
	v.addIf(p.CapacityGames < 0, "--capacity-games %d is negative; use 0 for no limit", p.CapacityGames)
	_, err = p.Labels()
	v.add(err)
	_, err = p.Taints()
	v.add(err)
	return v.join()
}

// Labels returns NodeLabels by key, and an error that names the first invalid one.
func (p Placement) Labels() (map[string]string, error) {
	var labels map[string]string
	for _, text := range p.NodeLabels {
		key, value, hasValue := strings.Cut(text, "=")
		if !hasValue {
			return nil, fmt.Errorf("--node-labels %q is not KEY=VALUE", text)
		}
		if err := node.ValidateLabel(key, value); err != nil {
			return nil, fmt.Errorf("--node-labels %q: %w", text, err)
		}
		if _, isSet := labels[key]; isSet {
			return nil, fmt.Errorf("--node-labels sets %q twice", key)
		}
		if labels == nil {
			labels = map[string]string{}
		}
		labels[key] = value
	}
	return labels, nil
}

// Taints returns NodeTaints, and an error that names the first invalid one.
func (p Placement) Taints() ([]node.Taint, error) {
	var taints []node.Taint
	for _, text := range p.NodeTaints {
		taint, err := node.ParseTaint(text)
		if err != nil {
			return nil, fmt.Errorf("--node-taints %w", err)
		}
		taints = append(taints, taint)
	}
	return taints, nil
}

// Capacity returns what the games of a node on a machine with those CPUs and that memory may use.
func (p Placement) Capacity(machine node.Capacity) node.Capacity {
	capacity := machine
	capacity.Games = int(p.CapacityGames)
	if p.CapacityCPUs != 0 {
		capacity.CPUs = max(p.CapacityCPUs, 0)
	}
	if p.CapacityMemory != "" {
		capacity.MemoryBytes, _ = p.memoryBytes() // validated with the settings
	}
	return capacity
}

// memoryBytes returns the bytes of CapacityMemory, 0 for NoMemoryLimit and an empty one.
func (p Placement) memoryBytes() (int64, error) {
	if p.CapacityMemory == "" || p.CapacityMemory == NoMemoryLimit {
		return 0, nil
	}
	size, err := humanize.ParseBytes(p.CapacityMemory)
	if err != nil || size == 0 || size > math.MaxInt64 {
		return 0, fmt.Errorf("--capacity-memory %q is not a size such as 16GiB; use %s for no limit", p.CapacityMemory, NoMemoryLimit)
	}
	return int64(size), nil
}
