package node

import (
	"slices"
	"time"
)

// Overview is what a registry knows about all nodes, as of one revision.
type Overview struct {
	// Present holds the present nodes, ordered by region and name.
	Present []Node
	// Absent holds the nodes that have joined before and are not present now, in the same
	// order. A node stays in it until an operator removes it.
	Absent  []Absent
	Leaders []Leader
	// Maintenance holds the settings of all nodes and regions. Those of a listed node are also
	// in its Settings.
	Maintenance Maintenance
	// IsStale reports that no majority of the members of etcd is reachable, so that the
	// overview is the last one that its nearest member has received.
	IsStale bool
}

// Absent is a node that has left the cluster or was lost.
type Absent struct {
	// Node describes the node as of its latest join.
	Node
	// StoppedAt is when its daemon stopped as planned; zero if it did not.
	StoppedAt time.Time
	// LostAt is when a leader detected the loss, by the clock of the leader; zero before.
	LostAt time.Time
}

// Status is the state of a node.
type Status string

// The states of a node.
const (
	StatusReady   Status = "ready"   // present
	StatusStopped Status = "stopped" // its daemon stopped as planned
	StatusLost    Status = "lost"    // absent for another reason
)

// Status returns StatusStopped or StatusLost.
func (a Absent) Status() Status {
	if a.StoppedAt.IsZero() {
		return StatusLost
	}
	return StatusStopped
}

// IsLeader reports whether the node leads its own region.
func (o Overview) IsLeader(ref Ref) bool {
	leader, found := o.LeaderOf(ref.Region)
	return found && leader == ref
}

// LeaderOf returns the node that leads the region, and false if there is none. It is a node
// of another region if that is the caretaker of the region.
func (o Overview) LeaderOf(region string) (Ref, bool) {
	for _, l := range o.Leaders {
		if l.Scope == region {
			return Ref{Region: l.Region, Name: l.Node}, true
		}
	}
	return Ref{}, false
}

// HasPresent reports whether a node of the region is present.
func (o Overview) HasPresent(region string) bool {
	return slices.ContainsFunc(o.Present, func(n Node) bool { return n.Region == region })
}

// Deserted returns the known regions without a present node, ordered by name.
func (o Overview) Deserted() []string {
	var deserted []string
	for _, a := range o.Absent {
		if !o.HasPresent(a.Region) {
			deserted = append(deserted, a.Region)
		}
	}
	slices.Sort(deserted)
	return slices.Compact(deserted)
}

// FindAbsent returns the absent node of the name, and false if there is none.
func (o Overview) FindAbsent(ref Ref) (Absent, bool) {
	for _, a := range o.Absent {
		if a.Ref() == ref {
			return a, true
		}
	}
	return Absent{}, false
}

// List describes the nodes of a cluster.
type List struct {
	// Items holds the present and the absent nodes, ordered by region and name.
	Items []Member
	// Leaders holds the leader of each region that has one among its own nodes.
	Leaders []Ref
	// Regions are the states of all regions, without Revision and Age.
	Regions []RegionState
	// IsStale reports that no majority of the members of etcd is reachable, so that the nodes
	// are as last known.
	IsStale bool
}

// Member is one node with what its cluster knows about it.
type Member struct {
	Node
	Status Status
	// Since is when the node was lost or stopped; zero for a present node, and for a loss
	// that no leader has detected yet.
	Since time.Time
	// Games is the number of running and stopped games that the node has.
	Games int
	// Used is what the games of a present node use, those that are being started included.
	Used Usage
	// ClockOffset is by how much the clock of the node is ahead of this daemon's, at
	// least; negative if it is behind. It is 0 unless the clocks certainly differ.
	ClockOffset time.Duration
}
