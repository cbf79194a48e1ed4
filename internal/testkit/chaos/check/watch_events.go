package check

import (
	"fmt"
	"slices"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// eventFault returns how an event differs from the change that it delivers.
func eventFault(e *recording.Event, v *truth.Version) string {
	expected := "upserted"
	switch {
	case v.Deleted:
		expected = "deleted"
	case v.Record != nil && v.Record.LastWrite.Kind == truth.Transition && !v.Record.LastWrite.HasNewerCondition:
		expected = "transitioned"
	}
	if e.Type != expected {
		return fmt.Sprintf("the change of game %s at revision %d is of type %s, and was delivered as %s", v.Game, v.Revision, expected, e.Type)
	}
	if fault := recordFault("before", e.Before, v.Previous); fault != "" {
		return fault
	}
	return recordFault("after", e.After, v)
}

// recordFault returns how a record of an event differs from the version.
func recordFault(name string, shown []byte, v *truth.Version) string {
	isShown := len(shown) > 0 && string(shown) != "null"
	switch {
	case isShown && !v.Exists():
		return fmt.Sprintf("the event has a record %s the change, and there was none", name)
	case !isShown && v.Exists():
		return fmt.Sprintf("the event has no record %s the change, and there was one", name)
	case !isShown:
		return ""
	}
	if differences := v.Differences(shown); len(differences) > 0 {
		return fmt.Sprintf("the record %s the change differs from etcd at revision %d in %v", name, v.Revision, differences)
	}
	return ""
}

// report reports a violation at an event.
func (s *stream) report(e *recording.Event, fault string) {
	s.isBroken = true
	lines := []string{describeEvent(s.open)}
	for _, shown := range []*recording.Event{s.previous, e} {
		lines = append(lines, describeEvent(shown))
	}
	for _, v := range s.changesAround(e) {
		lines = append(lines, describeVersion(v))
	}
	s.c.add(RuleWatches, fmt.Sprintf("watcher %s, stream %d: %s", e.Watcher, e.Stream, fault), slices.Compact(lines)...)
}

// changesAround returns the change that an event delivers, the version that it replaced, and the change
// that is to be delivered next.
func (s *stream) changesAround(e *recording.Event) (around []*truth.Version) {
	if v := s.c.history.Games[e.Game].At(e.Revision); v != nil {
		if v.Previous != nil {
			around = append(around, v.Previous)
		}
		around = append(around, v)
	}
	if next := s.nextSelected(); next != nil && !slices.Contains(around, next) {
		around = append(around, next)
	}
	return around
}
