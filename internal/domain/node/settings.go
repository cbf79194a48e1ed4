package node

import (
	"slices"
	"time"
)

// Settings is the state of a node that operators set. It is kept without a lease, so it
// survives the daemon of the node. The zero Settings is that of a node in service.
type Settings struct {
	// Cordoned is set while the node gets no new games.
	Cordoned *Mark `json:"cordoned,omitempty" doc:"Set while the node gets no new games"`
	// Drain is the drain of the node, in progress or finished, until the cordon ends.
	Drain *Drain `json:"drain,omitempty" doc:"The drain of the node, in progress or finished, until the cordon ends"`
	// Paused is set while the workers do no destructive work on the games of the node.
	Paused *Mark `json:"paused,omitempty" doc:"Set while the daemons neither stop, restart, remove nor reschedule games of the node by themselves"`
}

// Mark is a change by an operator.
type Mark struct {
	Reason string    `json:"reason,omitempty" doc:"Why, in the words of the operator"`
	By     string    `json:"by,omitempty" doc:"The actor of the request"`
	At     time.Time `json:"at" doc:"When, by the clock of the daemon that received the request"`
}

// IsZero reports whether the node is in service.
func (s Settings) IsZero() bool { return s == Settings{} }

// IsSchedulable reports whether the node gets new games.
func (s Settings) IsSchedulable() bool { return s.Cordoned == nil }

// Clone returns a copy that shares no memory with s.
func (s Settings) Clone() Settings {
	s.Cordoned, s.Paused, s.Drain = s.Cordoned.clone(), s.Paused.clone(), s.Drain.clone()
	return s
}

func (m *Mark) clone() *Mark {
	if m == nil {
		return nil
	}
	copied := *m
	return &copied
}

// String returns "REASON, by ACTOR", as far as they are known.
func (m Mark) String() string {
	text := m.Reason
	if m.By != "" {
		if text != "" {
			text += ", "
		}
		text += "by " + m.By
	}
	return text
}

// RegionSettings is the state of a region that operators set.
type RegionSettings struct {
	// Paused is set while the workers do no destructive work on the games of the region.
	Paused *Mark `json:"paused,omitempty" doc:"Set while the daemons neither stop, restart, remove nor reschedule games of the region by themselves"`
}

// IsZero reports whether the region is in service.
func (s RegionSettings) IsZero() bool { return s.Paused == nil }

// Clone returns a copy that shares no memory with s.
func (s RegionSettings) Clone() RegionSettings {
	s.Paused = s.Paused.clone()
	return s
}

// Maintenance holds the settings of all nodes and regions at one revision. Nodes and regions
// in service have no entry. The zero Maintenance is valid for reads.
type Maintenance struct {
	Nodes   map[Ref]Settings
	Regions map[string]RegionSettings
}

// PauseOf returns the mark by which the games of the node are paused: that of the node, or
// otherwise that of its region. It returns nil if they are not paused.
func (m Maintenance) PauseOf(ref Ref) *Mark {
	if mark := m.Nodes[ref].Paused; mark != nil {
		return mark
	}
	return m.Regions[ref.Region].Paused
}

// PauseText returns why the games of the node are paused, and an empty text if they are not.
func (m Maintenance) PauseText(ref Ref) string {
	mark := m.PauseOf(ref)
	if mark == nil {
		return ""
	}
	text := "node " + ref.String() + " is paused"
	if m.Nodes[ref].Paused == nil {
		text = "region " + ref.Region + " is paused"
	}
	if detail := mark.String(); detail != "" {
		text += ": " + detail
	}
	return text
}

// Conditions returns the words for the settings, in the order of a status such as
// "ready,cordoned,paused".
func (s Settings) Conditions() []Condition {
	var conditions []Condition
	switch {
	case s.Drain.IsActive():
		conditions = append(conditions, ConditionDraining)
	case s.Drain != nil && s.Drain.Remaining == 0:
		conditions = append(conditions, ConditionDrained)
	case s.Cordoned != nil:
		conditions = append(conditions, ConditionCordoned)
	}
	if s.Paused != nil {
		conditions = append(conditions, ConditionPaused)
	}
	return slices.Clip(conditions)
}

// Condition is a word for a setting of a node.
type Condition string

// The conditions.
const (
	ConditionCordoned Condition = "cordoned" // gets no new games
	ConditionDraining Condition = "draining" // cordoned, and its games are moved or stopped
	ConditionDrained  Condition = "drained"  // cordoned, and no game ran at the end of the drain
	ConditionPaused   Condition = "paused"   // no destructive work by workers
)
