package check

import (
	"cmp"
	"fmt"
	"slices"
	"sort"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// gameRevision names one version of a record.
type gameRevision struct {
	game     string
	revision int64
}

// observations are what responses and events show, for a recording without the changes of etcd.
type observations struct {
	c *checker
	// records are the first text that shows each version, and where it was shown.
	records map[gameRevision]observedRecord
	seen    map[string]*seenRevisions // by game; "" is the revision of the whole store
}

type observedRecord struct {
	text   []byte
	source func() string
}

// seenRevisions are the revisions that were shown, by time.
type seenRevisions struct{ shown []truth.Received }

// before returns the newest revision that was shown before the time.
func (s *seenRevisions) before(at int64) int64 {
	if s == nil {
		return 0
	}
	i := sort.Search(len(s.shown), func(i int) bool { return s.shown[i].At >= at })
	if i == 0 {
		return 0
	}
	return s.shown[i-1].Revision
}

// checkObservations compares responses and events with each other: each revision of a game shows one
// record, and no read is older than what any client or watcher had been shown before.
func (c *checker) checkObservations() {
	o := &observations{c: c, records: map[gameRevision]observedRecord{}, seen: map[string]*seenRevisions{}}
	for i := range c.calls {
		call := &c.calls[i]
		isShown := call.Outcome == recording.Done || call.Outcome == recording.Conflict
		if isShown && call.Game != "" && call.Revision > 0 && len(call.Output) > 0 {
			c.examine(RuleReads, 1)
			o.add(call.Game, call.Revision, call.Returned, call.Output, func() string { return describeCall(call) })
		}
	}
	for _, e := range c.liveChanges() {
		o.add(e.Game, e.Revision, e.At, e.After, func() string { return describeEvent(e) })
	}
	for _, s := range o.seen {
		slices.SortFunc(s.shown, func(a, b truth.Received) int { return cmp.Compare(a.At, b.At) })
		for i := 1; i < len(s.shown); i++ {
			s.shown[i].Revision = max(s.shown[i].Revision, s.shown[i-1].Revision)
		}
	}
	o.checkFreshness()
	o.checkLocalOrder()
}

// liveChanges returns the events of changes, without those of snapshots: a resync delivers deletions
// with the revision of its snapshot.
func (c *checker) liveChanges() (changes []*recording.Event) {
	isSynced := map[string]bool{} // by watcher
	for i := range c.events {
		switch e := &c.events[i]; e.Type {
		case recording.StreamOpen:
			isSynced[e.Watcher] = e.From != 0
		case "resync":
			isSynced[e.Watcher] = false
		case "synced":
			isSynced[e.Watcher] = true
		case "upserted", "transitioned", "deleted":
			if isSynced[e.Watcher] {
				changes = append(changes, e)
			}
		}
	}
	return changes
}

// add adds what a response or event shows.
func (o *observations) add(game string, revision, at int64, text []byte, source func() string) {
	for _, name := range []string{game, ""} {
		if o.seen[name] == nil {
			o.seen[name] = &seenRevisions{}
		}
		o.seen[name].shown = append(o.seen[name].shown, truth.Received{Revision: revision, At: at})
	}
	if len(text) == 0 {
		return
	}
	id := gameRevision{game, revision}
	first, isShown := o.records[id]
	if !isShown {
		o.records[id] = observedRecord{text, source}
		return
	}
	if string(first.text) == string(text) {
		return
	}
	if differences := truth.ParseFields(first.text).Diff(truth.ParseFields(text)); len(differences) > 0 {
		o.c.add(RuleReads, fmt.Sprintf("revision %d of game %s was shown with different records, in %v", revision, game, differences), first.source(), source())
	}
}

// checkFreshness checks the linearizable reads: none shows a record that another one had replaced before
// the call, as far as it was shown to any client or watcher.
func (o *observations) checkFreshness() {
	for i := range o.c.calls {
		call := &o.c.calls[i]
		isRead := call.Method == recording.Get && call.Outcome == recording.Done || isRecordWrite(call.Method) && call.Outcome == recording.Conflict
		switch {
		case call.Local:
		case isRead && call.Revision > 0:
			o.requireFresh(RuleReads, call, call.Game, call.Revision)
		case call.Method == recording.List && call.Outcome == recording.Done:
			o.c.examine(RuleLists, 1)
			o.requireFresh(RuleLists, call, "", call.Revision)
			for _, item := range call.Items {
				o.requireFresh(RuleLists, call, item.Game, item.Revision)
				if item.Revision > call.Revision {
					o.c.add(RuleLists, fmt.Sprintf("the list at revision %d has game %s as of the later revision %d", call.Revision, item.Game, item.Revision), describeCall(call))
				}
			}
		}
	}
}

// requireFresh checks that a call shows the game at the revision that had been shown before it, or a
// later one.
func (o *observations) requireFresh(rule string, call *recording.Call, game string, revision int64) {
	if newest := o.seen[game].before(call.Started); revision < newest {
		o.c.add(rule, fmt.Sprintf("the %s is stale: it shows revision %d of %q, and revision %d had been shown before the call", call.Method, revision, cmp.Or(game, "the store"), newest),
			o.sourceOf(game, newest), describeCall(call))
	}
}

// sourceOf returns one line for what showed the revision.
func (o *observations) sourceOf(game string, revision int64) string {
	if record, isShown := o.records[gameRevision{game, revision}]; isShown {
		return record.source()
	}
	return fmt.Sprintf("revision %d was shown by an event", revision)
}

// checkLocalOrder checks that the local reads of a client at one node never go back.
func (o *observations) checkLocalOrder() {
	type position struct {
		reader localReader
		game   string
	}
	positions := map[position]localPosition{}
	advance := func(call *recording.Call, game string, revision int64) {
		id := position{localReader{call.Client, call.Node}, game}
		if last := positions[id]; last.revision > revision {
			o.c.add(RuleLocal, fmt.Sprintf("the %s goes back to revision %d of %q from %d", call.Method, revision, cmp.Or(game, "the store"), last.revision), describeCall(last.call), describeCall(call))
			return
		}
		positions[id] = localPosition{revision, call}
	}
	for i := range o.c.calls {
		call := &o.c.calls[i]
		if !call.Local || call.Outcome != recording.Done {
			continue
		}
		o.c.examine(RuleLocal, 1)
		if advance(call, call.Game, call.Revision); call.Method == recording.List {
			for _, item := range call.Items {
				advance(call, item.Game, item.Revision)
			}
		}
	}
}
