package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// checkLists checks lists and reads of ledgers: each shows one revision, completely.
func (c *checker) checkLists() {
	games := c.recordGames()
	for i := range c.calls {
		call := &c.calls[i]
		switch {
		case call.Method == recording.List && call.Outcome == recording.Done && !call.Local:
			c.examine(RuleLists, 1)
			if window := c.timeline.During(call); call.Revision < window.From {
				c.add(RuleLists, fmt.Sprintf("the list is stale: it is at revision %d, and revision %d existed before the call", call.Revision, window.From),
					c.describeProof(window.From, call.Started), describeCall(call))
			} else if fault, lines := c.listFault(call, games); fault != "" {
				c.add(RuleLists, fault, append(lines, describeCall(call))...)
			}
		case call.Method == recording.History && call.Outcome == recording.Done:
			c.examine(RuleLists, 1)
			if fault, lines := c.ledgerFault(call); fault != "" {
				c.add(RuleLists, fault, append(lines, describeCall(call))...)
			}
		case call.Method == recording.History && call.Outcome == recording.NotFound:
			c.examine(RuleLists, 1)
			c.checkAbsent(call)
		}
	}
}

// recordGames returns the histories of the games that lists contain, in order.
func (c *checker) recordGames() (games []*truth.Game) {
	for id, purpose := range c.run.Games {
		if g := c.history.Games[id]; purpose == "records" && g != nil {
			games = append(games, g)
		}
	}
	slices.SortFunc(games, func(a, b *truth.Game) int { return strings.Compare(a.ID, b.ID) })
	return games
}

// listFault returns how a list differs from etcd at its revision, empty if it does not.
func (c *checker) listFault(call *recording.Call, games []*truth.Game) (fault string, lines []string) {
	if call.Error != "" {
		return "the list has no single revision: " + call.Error, nil
	}
	if call.Revision > c.timeline.PossibleAt(call.Returned) {
		return fmt.Sprintf("the list is at revision %d, which was written only after it had returned", call.Revision), nil
	}
	listed := make(map[string]bool, len(call.Items))
	for _, item := range call.Items {
		v := c.history.Games[item.Game].At(call.Revision)
		switch {
		case listed[item.Game]:
			return fmt.Sprintf("the list at revision %d has game %s twice", call.Revision, item.Game), nil
		case !v.Exists():
			return fmt.Sprintf("the list at revision %d has game %s, which had no record", call.Revision, item.Game), []string{describeVersion(v)}
		case v.Record != nil && !isItem(item, v):
			return fmt.Sprintf("the list at revision %d has game %s as of revision %d, %s with container %q", call.Revision, item.Game, item.Revision, item.Status, item.ContainerID), []string{describeVersion(v)}
		case v.Record != nil && call.Status != "" && v.Record.Status != call.Status:
			return fmt.Sprintf("the list of status %s has game %s, which has another", call.Status, item.Game), []string{describeVersion(v)}
		}
		listed[item.Game] = true
	}
	for _, g := range games {
		v := g.At(call.Revision)
		isSelected := v.Exists() && v.Record != nil && (call.Status == "" || v.Record.Status == call.Status)
		if isSelected && !listed[g.ID] {
			return fmt.Sprintf("the list at revision %d misses game %s", call.Revision, g.ID), []string{describeVersion(v)}
		}
	}
	return "", nil
}

// isItem reports whether the item of a list shows the version.
func isItem(item recording.Item, v *truth.Version) bool {
	return item.Revision == v.Revision && item.Status == v.Record.Status && item.ContainerID == v.Record.ContainerID
}

// ledgerFault returns how the entries of a response differ from the ledger at some revision during
// the call, empty if they do not.
func (c *checker) ledgerFault(call *recording.Call) (fault string, lines []string) {
	g := c.history.Games[call.Game]
	if len(call.Entries) == 0 || g == nil {
		return fmt.Sprintf("the ledger of game %s is empty", call.Game), nil
	}
	newest, err := truth.ParseEntry(call.Entries[0])
	if err != nil {
		return fmt.Sprintf("the ledger of game %s: %v", call.Game, err), nil
	}
	place, wasWritten := slices.BinarySearchFunc(g.Entries, newest.Revision, func(e *truth.Entry, revision int64) int { return cmp.Compare(e.Revision, revision) })
	if !wasWritten {
		return fmt.Sprintf("the ledger of game %s starts at revision %d, which wrote no entry", call.Game, newest.Revision), nil
	}
	window := c.timeline.During(call)
	if next := place + 1; newest.Revision > window.To || next < len(g.Entries) && g.Entries[next].Revision <= window.From {
		return fmt.Sprintf("the ledger of game %s is of another time: its newest entry is of revision %d", call.Game, newest.Revision), []string{describeEntry(g.Entries[min(next, len(g.Entries)-1)])}
	}
	expected := ledgerAt(g, place)
	for i, text := range call.Entries {
		got, err := truth.ParseEntry(text)
		if err != nil || i >= len(expected) || !isSameEntry(got, expected[i]) {
			return fmt.Sprintf("entry %d of the ledger of game %s at revision %d differs from etcd: %s", i, call.Game, newest.Revision, text), describeEntries(expected)
		}
	}
	if len(call.Entries) < len(expected) {
		return fmt.Sprintf("the ledger of game %s at revision %d has %d entries instead of %d", call.Game, newest.Revision, len(call.Entries), len(expected)), describeEntries(expected)
	}
	return "", nil
}

// ledgerAt returns the entries that the ledger had when the entry at the place was its newest one,
// newest first. The numbers start over when a game is deleted.
func ledgerAt(g *truth.Game, place int) (entries []*truth.Entry) {
	for i := place; i >= 0 && len(entries) < truth.Slots; i-- {
		if n := len(entries); n > 0 && g.Entries[i].Seq != entries[n-1].Seq-1 {
			break
		}
		entries = append(entries, g.Entries[i])
	}
	return entries
}

func isSameEntry(a, b *truth.Entry) bool {
	return a.Seq == b.Seq && a.From == b.From && a.To == b.To && a.OperationID == b.OperationID && a.ContainerID == b.ContainerID && a.Image == b.Image && a.Revision == b.Revision
}

func describeEntries(entries []*truth.Entry) (lines []string) {
	for _, e := range entries[:min(len(entries), maxLines)] {
		lines = append(lines, describeEntry(e))
	}
	return lines
}
