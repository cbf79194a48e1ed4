package check

import (
	"fmt"
	"slices"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// gameKeys are the keys of one game at one revision.
type gameKeys struct {
	game   *truth.Game
	index  map[string]string      // by status, the container id
	ledger map[int64]*truth.Entry // by slot
	newest *truth.Entry
	intent bool
}

// checkInvariants replays the changes and checks the keys of each changed game at each revision.
func (c *checker) checkInvariants() {
	states, touched := map[string]*gameKeys{}, []string{}
	changes := c.history.Changes
	for i, change := range changes {
		key := truth.ParseKey(c.history.Prefix, change.Key)
		switch {
		case key.Fault != "":
			c.add(RuleInvariants, fmt.Sprintf("the key %s: %s", change.Key, key.Fault), describeChange(change))
		case key.Game != "":
			if states[key.Game] == nil {
				states[key.Game] = &gameKeys{game: c.history.Games[key.Game], index: map[string]string{}, ledger: map[int64]*truth.Entry{}}
			}
			c.applyChange(states[key.Game], key, change)
			if !slices.Contains(touched, key.Game) {
				touched = append(touched, key.Game)
			}
		}
		if isLast := i == len(changes)-1; !isLast && (changes[i+1].Revision == change.Revision || changes[i+1].Revision <= c.history.Start) {
			continue // in the middle of a transaction, or of the initial keys
		}
		for _, game := range touched {
			c.examine(RuleInvariants, 1)
			if fault := c.keysFault(states[game], change.Revision); fault != "" {
				c.add(RuleInvariants, fmt.Sprintf("game %s at revision %d: %s", game, change.Revision, fault), c.keysEvidence(states[game], change.Revision)...)
			}
		}
		touched = touched[:0]
	}
}

// applyChange changes the keys of a game.
func (c *checker) applyChange(s *gameKeys, key truth.Key, change *recording.Change) {
	switch key.Family {
	case truth.IndexKey:
		if s.index[key.Status] = change.Value; change.Deleted {
			delete(s.index, key.Status)
		}
	case truth.IntentKey:
		s.intent = !change.Deleted
	case truth.LedgerKey:
		s.applyEntry(c, key, change)
	default: // records are versions of the game
	}
}

func (s *gameKeys) applyEntry(c *checker, key truth.Key, change *recording.Change) {
	if change.Deleted {
		if delete(s.ledger, key.Slot); len(s.ledger) == 0 {
			s.newest = nil
		}
		return
	}
	report := func(fault string) {
		c.add(RuleInvariants, fmt.Sprintf("the ledger of game %s at revision %d: %s", key.Game, change.Revision, fault), describeChange(change))
	}
	entry := s.entryAt(change.Revision)
	if entry == nil {
		report("the value is not a ledger entry")
		return
	}
	if entry.Seq%truth.Slots != key.Slot {
		report(fmt.Sprintf("entry %d does not belong in slot %d", entry.Seq, key.Slot))
	}
	if newest := s.newest; !change.Initial && (newest == nil && entry.Seq != 1 || newest != nil && entry.Seq != newest.Seq+1) {
		report(fmt.Sprintf("entry %d follows entry %d", entry.Seq, seqOf(newest)))
	}
	s.ledger[key.Slot], s.newest = entry, entry
}

func (s *gameKeys) entryAt(revision int64) *truth.Entry {
	if s.game == nil {
		return nil
	}
	return s.game.EntryAt(revision)
}

func seqOf(e *truth.Entry) int64 {
	if e == nil {
		return 0
	}
	return e.Seq
}

// keysFault returns what is wrong with the keys of a game after the revision, empty for nothing.
func (c *checker) keysFault(s *gameKeys, revision int64) string {
	current := s.game.At(revision)
	isChanged := current != nil && current.Revision == revision && !current.Initial
	if !current.Exists() {
		return s.absentFault(current, isChanged)
	}
	r := current.Record
	if r == nil {
		return current.Fault
	}
	if fault := r.Contradiction(); fault != "" {
		return "the record contradicts itself: " + fault
	}
	if r.GameID != current.Game {
		return fmt.Sprintf("the record names game %q", r.GameID)
	}
	if container, isIndexed := s.index[r.Status]; !isIndexed || container != r.ContainerID || len(s.index) != 1 {
		return fmt.Sprintf("the record is %s with container %q, and its index keys are %q", r.Status, r.ContainerID, s.index)
	}
	if fault := ledgerFaultOf(r, s.newest); fault != "" {
		return fault
	}
	entry := s.entryAt(revision)
	switch {
	case isChanged:
		return c.changedFault(current, entry)
	case entry != nil && revision > c.history.Start:
		return fmt.Sprintf("entry %d of the ledger was written without the record", entry.Seq)
	default:
		return ""
	}
}

// absentFault returns what is wrong with the keys of a game without a record.
func (s *gameKeys) absentFault(current *truth.Version, isChanged bool) string {
	switch {
	case len(s.index) > 0:
		return fmt.Sprintf("there is no record, and its index keys are %q", s.index)
	case len(s.ledger) > 0:
		return "there is no record, and there is a ledger"
	case !isChanged:
		return ""
	case s.intent:
		return "the game was deleted without its intent"
	case current.Previous.Exists() && current.Previous.Record != nil && current.Previous.Record.Status != truth.Removed:
		return fmt.Sprintf("the game was deleted while it was %s", current.Previous.Record.Status)
	default:
		return ""
	}
}

// ledgerFaultOf returns how the newest entry disagrees with the record.
func ledgerFaultOf(r *truth.Record, newest *truth.Entry) string {
	switch {
	case newest == nil:
		return "the record has no ledger"
	case newest.Seq != r.LastWrite.Seq || newest.OperationID != r.LastWrite.OperationID:
		return fmt.Sprintf("the record was last written by entry %d, operation %s, and the newest entry is %d, operation %s", r.LastWrite.Seq, r.LastWrite.OperationID, newest.Seq, newest.OperationID)
	case newest.To != r.Status || newest.ContainerID != r.ContainerID || newest.Image != r.Image:
		return fmt.Sprintf("the record is %s with container %q and image %q, and the newest entry has %s, %q and %q", r.Status, r.ContainerID, r.Image, newest.To, newest.ContainerID, newest.Image)
	default:
		return ""
	}
}

// changedFault returns what is wrong with a change of a record; entry is nil if it wrote none.
func (c *checker) changedFault(after *truth.Version, entry *truth.Entry) string {
	before, r := after.Previous, after.Record
	if !before.Exists() || before.Record == nil {
		before = nil
	}
	if entry == nil {
		return conditionFault(before, after)
	}
	from := ""
	if before != nil {
		from = before.Record.Status
	}
	isLifecycle := c.run.Games[after.Game] == "lifecycle"
	switch {
	case r.LastWrite.HasNewerCondition:
		return "a write with a ledger entry is marked as one of the condition"
	case entry.From != from:
		return fmt.Sprintf("entry %d starts from %q, and the record was %q", entry.Seq, entry.From, from)
	case r.LastWrite.Kind != truth.Upsert && r.LastWrite.Kind != truth.Transition:
		return fmt.Sprintf("the write has the unknown kind %q", r.LastWrite.Kind)
	case r.LastWrite.Kind == truth.Transition && !truth.IsAllowed(from, r.Status):
		return fmt.Sprintf("the transition from %q to %q is not allowed", from, r.Status)
	case before != nil && r.Generation < before.Record.Generation && (isLifecycle || r.LastWrite.Kind == truth.Transition):
		return fmt.Sprintf("the generation decreases from %d to %d", before.Record.Generation, r.Generation)
	default:
		return ""
	}
}

// conditionFault returns what is wrong with a write without a ledger entry, which may change the
// condition only.
func conditionFault(before, after *truth.Version) string {
	if before == nil {
		return "the record was inserted without a ledger entry"
	}
	differences := slices.DeleteFunc(before.Fields().Diff(after.Fields()), truth.IsCondition)
	if len(differences) > 0 || !after.Record.LastWrite.HasNewerCondition {
		return fmt.Sprintf("the record was changed without a ledger entry, in %v", differences)
	}
	return ""
}

// keysEvidence returns the versions and the entry around a revision.
func (c *checker) keysEvidence(s *gameKeys, revision int64) []string {
	lines := []string{}
	if v := s.game.At(revision); v != nil {
		if v.Previous != nil {
			lines = append(lines, describeVersion(v.Previous))
		}
		lines = append(lines, describeVersion(v))
	}
	if s.newest != nil {
		lines = append(lines, describeEntry(s.newest))
	}
	for _, change := range c.history.ChangesAt(revision) {
		lines = append(lines, describeChange(change))
	}
	return lines
}
