package api

import (
	"time"

	"galaxy/rtmanager/internal/domain/node"
)

// Region is one region as the daemon that responds knows it. Its nodes are those of a read
// that was made at most a few seconds before; the records are as of the revision.
type Region struct {
	Region   string `json:"region" doc:"The name of the region"`
	Revision int64  `json:"revision,omitempty" doc:"The revision at which the records of the region are; absent in a list of nodes"`
	AgeMS    *int64 `json:"age_ms,omitempty" doc:"How many milliseconds ago etcd last confirmed that the records are current; 0 for a linearizable read; absent if that is not known"`
	Nodes    int    `json:"nodes" doc:"The number of present nodes"`

	Leader             *node.Ref    `json:"leader,omitempty" doc:"The node that leads the region. A node of another region is its caretaker, because no node of the region is present"`
	Absent             []AbsentNode `json:"absent,omitempty" nullable:"false" doc:"The nodes that have joined before and are not present"`
	GamesOnAbsentNodes int          `json:"games_on_absent_nodes,omitempty" doc:"The number of running and stopped games on these nodes"`
	Paused             *node.Mark   `json:"paused,omitempty" doc:"Set while the daemons neither stop, restart, remove nor reschedule games of the region by themselves"`
}

// AbsentNode is a node that is not present.
type AbsentNode struct {
	Node   string      `json:"node" doc:"The name of the node"`
	Status node.Status `json:"status" enum:"stopped,lost" doc:"stopped: its daemon stopped as planned; lost: absent for another reason"`
	Since  *time.Time  `json:"since,omitempty" doc:"When it stopped, or when its loss was detected; absent before"`
}

// RegionsFrom converts the states of regions.
func RegionsFrom(states []node.RegionState) []Region {
	var regions []Region
	for _, state := range states {
		region := Region{Region: state.Region, Revision: state.Revision, AgeMS: state.AgeMS, Nodes: state.Nodes, GamesOnAbsentNodes: state.GamesOnAbsentNodes, Paused: state.Paused}
		if !state.Leader.IsZero() {
			region.Leader = &state.Leader
		}
		for _, n := range state.Absent {
			encoded := AbsentNode{Node: n.Name, Status: n.Status}
			if !n.Since.IsZero() {
				encoded.Since = &n.Since
			}
			region.Absent = append(region.Absent, encoded)
		}
		regions = append(regions, region)
	}
	return regions
}

// RegionStates is the inverse of RegionsFrom.
func RegionStates(regions []Region) []node.RegionState {
	var states []node.RegionState
	for _, region := range regions {
		state := node.RegionState{Region: region.Region, Revision: region.Revision, AgeMS: region.AgeMS, Nodes: region.Nodes, GamesOnAbsentNodes: region.GamesOnAbsentNodes, Paused: region.Paused}
		if region.Leader != nil {
			state.Leader = *region.Leader
		}
		for _, n := range region.Absent {
			decoded := node.AbsentNode{Name: n.Node, Status: n.Status}
			if n.Since != nil {
				decoded.Since = *n.Since
			}
			state.Absent = append(state.Absent, decoded)
		}
		states = append(states, state)
	}
	return states
}
