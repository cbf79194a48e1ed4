package node

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoCapacity reports that no node can run a game at the moment. NoCapacityError has the
// reason of each node.
var ErrNoCapacity = errors.New("no node has space for the game")

// Placement explains the selection of a node for a game.
type Placement struct {
	// Region is the region that was searched.
	Region string
	// Selected is the node that was selected, zero if none fits.
	Selected Ref
	// Nodes holds the nodes that fit, the best one first, and then the others by name.
	Nodes []Candidacy
}

// Candidacy is how one node was checked as the node of a game.
type Candidacy struct {
	Node Ref
	// Rank is the position among the nodes that fit, from 1; 0 for a node that does not.
	Rank int
	// Reason is why the node does not fit, such as "has 2 of 2 games"; empty if it does.
	Reason string
	// Used and Capacity are what the games of the node use, without the game, and may use.
	Used     Usage
	Capacity Capacity
	// HasImage and Failures are those of the node's offer, plus the failures of this game there.
	HasImage bool
	Failures int
	// AvoidedTaints is the number of PreferNoSchedule taints that the game does not tolerate.
	AvoidedTaints int
	// SpreadValue is the value of the label of the node by which the game is spread, and SpreadGames the
	// number of games of its group on the nodes with that value. Both are zero for a game without one.
	SpreadValue string
	SpreadGames int
	// IsPrevious reports that the game ran on the node last.
	IsPrevious bool
}

// NoCapacityError has the reason why each node of a region, or the requested node, cannot run a
// game. It errors.Is ErrNoCapacity.
type NoCapacityError struct {
	Region string
	// Node is the requested node, zero if any node of the region was allowed.
	Node  Ref
	Nodes []Candidacy
}

// maxReasons bounds the nodes that an error names.
const maxReasons = 10

// Error names each node with its reason.
func (e *NoCapacityError) Error() string {
	reasons := make([]string, 0, len(e.Nodes))
	for i, c := range e.Nodes {
		if i == maxReasons {
			reasons = append(reasons, fmt.Sprintf("and %d more", len(e.Nodes)-i))
			break
		}
		reasons = append(reasons, c.Node.Name+" "+c.Reason)
	}
	if !e.Node.IsZero() {
		return fmt.Sprintf("node %s does not fit: %s", e.Node, strings.Join(reasons, ", "))
	}
	return fmt.Sprintf("no node of region %s fits: %s", e.Region, strings.Join(reasons, ", "))
}

// Is reports whether target is ErrNoCapacity.
func (e *NoCapacityError) Is(target error) bool { return target == ErrNoCapacity }
