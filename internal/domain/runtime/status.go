package runtime

import (
	"fmt"
	"slices"
	"strings"
)

// Status is the recorded state of a game's container. The zero Status is not a known
// status.
type Status string

// The three statuses. Every valid record has exactly one of them.
const (
	StatusRunning Status = "running"
	StatusStopped Status = "stopped"
	StatusRemoved Status = "removed"
)

// Statuses returns the known statuses in the order of a container's life. The caller may
// modify the slice.
func Statuses() []Status {
	return []Status{StatusRunning, StatusStopped, StatusRemoved}
}

// IsKnown reports whether s is exactly one of the three statuses.
func (s Status) IsKnown() bool {
	return slices.Contains(Statuses(), s)
}

// ParseStatus returns the status with exactly this name. For any other name, including
// the empty one, it returns an *InvalidError on the field that lists the known statuses.
func ParseStatus(field, name string) (Status, error) {
	s := Status(name)
	if s.IsKnown() {
		return s, nil
	}
	names := make([]string, 0, 3)
	for _, status := range Statuses() {
		names = append(names, string(status))
	}
	return "", &InvalidError{
		Field:  field,
		Reason: fmt.Sprintf("%q is not a status; use one of %s", name, strings.Join(names, ", ")),
	}
}
