package node

import (
	"maps"
	"slices"
	"time"
)

// RegionState is what a daemon knows about the nodes of one region.
type RegionState struct {
	Region string
	// Leader is the node that leads the region, zero if there is none. A node of another
	// region is its caretaker.
	Leader Ref
	// Nodes is the number of present nodes.
	Nodes int
	// Absent are the nodes that have joined before and are not present, ordered by name.
	Absent []AbsentNode
	// GamesOnAbsentNodes is the number of running and stopped games whose records name one of Absent.
	GamesOnAbsentNodes int
	// Paused is set while an operator has paused the region.
	Paused *Mark

	// Revision is the revision of the records that this state is returned with, and AgeMS is how
	// many milliseconds ago etcd last confirmed that they are current, nil if that is not known.
	// Both are zero outside a list or a watch.
	Revision int64
	AgeMS    *int64
}

// AbsentNode is an absent node of a region.
type AbsentNode struct {
	Name   string
	Status Status // StatusLost or StatusStopped
	// Since is when it was lost or stopped; zero for a loss that no leader has detected yet.
	Since time.Time
}

// Since returns when the node stopped or its loss was detected, zero for an undetected loss.
func (a Absent) Since() time.Time {
	if a.Status() == StatusStopped {
		return a.StoppedAt
	}
	return a.LostAt
}

// HasCaretaker reports whether a node of another region leads the region.
func (r RegionState) HasCaretaker() bool { return !r.Leader.IsZero() && r.Leader.Region != r.Region }

// Regions returns the states of the regions that the overview knows, ordered by name. games has
// the number of running and stopped games of each node.
func (o Overview) Regions(games map[Ref]int) []RegionState {
	byName := map[string]*RegionState{}
	stateOf := func(name string) *RegionState {
		if byName[name] == nil {
			byName[name] = &RegionState{Region: name}
			byName[name].Leader, _ = o.LeaderOf(name)
			byName[name].Paused = o.Maintenance.Regions[name].Paused
		}
		return byName[name]
	}
	for _, n := range o.Present {
		stateOf(n.Region).Nodes++
	}
	for _, a := range o.Absent {
		state := stateOf(a.Region)
		state.Absent = append(state.Absent, AbsentNode{Name: a.Name, Status: a.Status(), Since: a.Since()})
		state.GamesOnAbsentNodes += games[a.Ref()]
	}
	states := make([]RegionState, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		states = append(states, *byName[name])
	}
	return states
}
