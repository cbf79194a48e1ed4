package order

import (
	"fmt"
	"time"
)

// State is what the model has of a game's record. The zero value is no record.
type State struct {
	Revision  int64
	Status    string
	Container string
	// Identity differs between records that two puts have written.
	Identity string
}

// Exists reports whether there is a record.
func (s State) Exists() bool { return s.Revision != 0 }

// Kind is what a call does.
type Kind string

// The kinds.
const (
	// Show shows the current record, which may be none.
	Show Kind = "show"
	// Conflict shows the current record, which fails the precondition of the call.
	Conflict Kind = "conflict"
	Put      Kind = "put"
	Update   Kind = "update"
	// Touch changes the record, but nothing of State except its revision.
	Touch  Kind = "touch"
	Delete Kind = "delete"
	// Other sets the state, by a writer that made no call.
	Other Kind = "other"
)

// isWrite reports whether a call of the kind makes a revision.
func (k Kind) isWrite() bool { return k != Show && k != Conflict }

// Call is one call that was certainly applied, or that showed a record.
type Call struct {
	Start, Return int64
	Kind          Kind
	// Revision is that of a write.
	Revision int64
	// State is the record that a Show or Conflict shows, or that a Put or Other writes.
	State State

	// Partial means that a Show does not show the identity of the record.
	Partial bool

	// What a write or a conflict requires.
	From      string // status; empty requires none
	Container string // empty requires none
	If        *int64 // revision, 0 for no record; nil requires none
	To        string // status after an Update

	// Source describes the call in evidence.
	Source func() string
}

// String returns the call as one line.
func (c Call) String() string {
	if c.Source != nil {
		return c.Source()
	}
	return fmt.Sprintf("[%v, %v] %s revision=%d %+v", time.Duration(c.Start), time.Duration(c.Return), c.Kind, c.Revision, c.State)
}

// holds reports whether the preconditions of the call hold.
func (c *Call) holds(s State) bool {
	return (c.From == "" || c.From == s.Status) && (c.Container == "" || c.Container == s.Container) && (c.If == nil || *c.If == s.Revision)
}

// apply returns the state after a write, and false if the write was not possible.
func (c *Call) apply(s State) (State, bool) {
	isPossible := c.holds(s)
	switch c.Kind {
	case Put, Other:
		s = c.State
	case Update:
		isPossible = isPossible && s.Exists()
		if s.Status = c.To; c.To == "removed" {
			s.Container = ""
		}
	case Touch:
		isPossible = isPossible && s.Exists()
	case Delete:
		return State{}, isPossible && s.Status == "removed"
	default:
		return s, false
	}
	if s != (State{}) {
		s.Revision = c.Revision
	}
	return s, isPossible
}
