package runtime

import (
	"fmt"
	"slices"
	"strings"
)

// Status is what a game's container is doing as far as the record knows. The
// zero Status is not a status: it never stands for one of the three by accident.
type Status string

// The three statuses. Every record has exactly one of them.
const (
	StatusRunning Status = "running"
	StatusStopped Status = "stopped"
	StatusRemoved Status = "removed"
)

// Statuses returns the known statuses in the order of a container's life. The
// slice is the caller's own.
func Statuses() []Status {
	return []Status{StatusRunning, StatusStopped, StatusRemoved}
}

// IsKnown reports whether s is one of the three statuses, spelled exactly.
func (s Status) IsKnown() bool {
	return slices.Contains(Statuses(), s)
}

// ParseStatus gives back the status spelled exactly so. Any other word, the
// empty one included, is an *InvalidError on the named field that lists the
// three words.
func ParseStatus(field, word string) (Status, error) {
	s := Status(word)
	if s.IsKnown() {
		return s, nil
	}
	known := make([]string, 0, 3)
	for _, k := range Statuses() {
		known = append(known, string(k))
	}
	return "", &InvalidError{
		Field:  field,
		Reason: fmt.Sprintf("%q is not a status; use one of %s", string(s), strings.Join(known, ", ")),
	}
}
