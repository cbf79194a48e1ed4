package output

import (
	"fmt"
	"strings"
	"time"

	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/node"
)

// maxFreshAge is the age of records that causes no warning: etcd confirms a copy of them every
// two seconds.
const maxFreshAge = 10 * time.Second

// RegionWarnings prints a warning for each region whose records are old, and for each that has
// lost nodes or games on nodes that are absent.
func (p *Printer) RegionWarnings(states []node.RegionState) {
	if len(states) > 0 && states[0].AgeMS != nil { // in one store all regions have the same age
		if age := time.Duration(*states[0].AgeMS) * time.Millisecond; age > maxFreshAge {
			_, _ = fmt.Fprintf(p.Err, "warning: the records may be old: etcd last confirmed them %s ago, and this daemon may be cut off\n", render.Age(age))
		}
	}
	for _, state := range states {
		if warning := absentText(state, p.Now()); warning != "" {
			_, _ = fmt.Fprintf(p.Err, "warning: %s\n", warning)
		}
	}
}

// absentText describes the nodes of the region that are absent, and is empty if none is lost and no
// game is on one of them.
func absentText(state node.RegionState, now time.Time) string {
	var absent []string
	for _, n := range state.Absent {
		if n.Status != node.StatusLost && state.GamesOnAbsentNodes == 0 {
			continue
		}
		text := fmt.Sprintf("node %s is %s", render.Value(n.Name), render.Value(string(n.Status)))
		if !n.Since.IsZero() {
			text += fmt.Sprintf(" for %s", render.Age(now.Sub(n.Since)))
		}
		absent = append(absent, text)
	}
	if len(absent) == 0 {
		return ""
	}
	text := fmt.Sprintf("region %s: %s", render.Value(state.Region), strings.Join(absent, ", "))
	if state.GamesOnAbsentNodes > 0 {
		text += fmt.Sprintf("; %s there", render.Count(state.GamesOnAbsentNodes, "game"))
	}
	switch {
	case state.Nodes == 0 && state.HasCaretaker():
		text += fmt.Sprintf("; no node is present, and %s is the caretaker", render.Value(state.Leader.String()))
	case state.Nodes == 0:
		text += "; no node is present"
	}
	return text
}
