package node

import (
	"maps"
	"time"
)

// Reservation holds resources of a node for a game that is being started there.
type Reservation struct {
	Resources
	// Operation is the id of the operation that starts the game. The reservation ends with it.
	Operation string `json:"operation"`
	// Group is the group of games that the game is spread within, KEY=VALUE; empty for a game that
	// is not spread by a label.
	Group string `json:"group,omitempty"`
	// At is when the reservation was made, by the clock of the daemon that made it. It is for
	// display: no decision depends on it.
	At time.Time `json:"at"`
}

// Reservations are those of one node.
type Reservations struct {
	Node  Ref
	Games map[string]Reservation // by game
	// Revision identifies this state of the reservations; 0 if the node has never had one.
	Revision int64
	// Fault, if not nil, is why the stored reservations cannot be read. Games is empty then, and nothing
	// may be reserved on the node.
	Fault error
}

// Clone returns a copy that shares no memory with r.
func (r Reservations) Clone() Reservations {
	r.Games = maps.Clone(r.Games)
	if r.Games == nil {
		r.Games = map[string]Reservation{}
	}
	return r
}
