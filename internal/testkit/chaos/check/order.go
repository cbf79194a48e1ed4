package check

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/order"
	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// maxListed bounds how many records of lists the search sees: lists of many games are checked by rule
// lists only.
const maxListed = 2_000_000

// checkOrder checks that there is an order of the calls of each game that agrees with all responses
// and with the clock.
func (c *checker) checkOrder() {
	histories := map[string]*orderedHistory{}
	historyOf := func(game string) *orderedHistory {
		h := histories[game]
		if h == nil {
			h = &orderedHistory{c: c, game: c.history.Games[game]}
			histories[game] = h
		}
		return h
	}
	listed, games := 0, c.recordGames()
	for i := range c.calls {
		switch call := &c.calls[i]; {
		case call.Local || call.Method.IsLifecycle():
		case call.Method == recording.List && call.Outcome == recording.Done:
			if listed += len(games); listed > maxListed {
				continue
			}
			items := itemsByGame(call)
			for _, g := range games {
				historyOf(g.ID).addListed(call, items[g.ID])
			}
		case call.Game != "":
			historyOf(call.Game).add(call)
		}
	}
	for game, h := range histories {
		h.addOthers()
		c.examine(RuleOrder, len(h.calls))
		if v := order.Check(h.initialState(), h.calls); v != nil {
			if v.IsUndecided {
				c.report.Undecided = append(c.report.Undecided, fmt.Sprintf("game %s: %s", game, v.Summary))
				continue
			}
			lines := []string{fmt.Sprintf("before: revision=%d %s container=%q", v.Initial.Revision, v.Initial.Status, v.Initial.Container)}
			for _, call := range v.Calls[:min(len(v.Calls), maxLines)] {
				lines = append(lines, call.String())
			}
			c.add(RuleOrder, fmt.Sprintf("game %s: %s", game, v.Summary), lines...)
		}
	}
}

// orderedHistory is the calls of one game as the search sees them.
type orderedHistory struct {
	c     *checker
	game  *truth.Game
	calls []order.Call
}

// initialState returns the state at the start of the recording.
func (h *orderedHistory) initialState() order.State {
	if h.game == nil || len(h.game.Versions) == 0 || !h.game.Versions[0].Initial {
		return order.State{}
	}
	return stateOf(h.game.Versions[0])
}

// addListed adds what a list shows of the game: its item, or that it has none.
func (h *orderedHistory) addListed(call *recording.Call, item recording.Item) {
	if item.Revision == 0 && call.Status != "" {
		return // it may have another status
	}
	h.calls = append(h.calls, order.Call{
		Start: call.Started, Return: call.Returned, Kind: order.Show, Partial: true,
		State: order.State{Revision: item.Revision, Status: item.Status, Container: item.ContainerID}, Source: func() string { return describeCall(call) },
	})
}

func itemsByGame(call *recording.Call) map[string]recording.Item {
	items := make(map[string]recording.Item, len(call.Items))
	for _, item := range call.Items {
		items[item.Game] = item
	}
	return items
}

// add adds a call. One of unknown outcome was applied if etcd has its operation id: then it was
// applied before the recording received it. Otherwise it is dropped.
func (h *orderedHistory) add(call *recording.Call) {
	one := order.Call{Start: call.Started, Return: call.Returned, Source: func() string { return describeCall(call) }}
	switch {
	case isRecordWrite(call.Method) && call.Method != recording.Delete && mayHaveApplied(call):
		h.addWrite(call, one)
	case call.Outcome == recording.Done && call.Method == recording.Get, call.Outcome == recording.NotFound,
		call.Outcome == recording.Done && call.Method == recording.Delete && len(h.c.byOperation[operation{call.Game, call.OperationID}]) == 1:
		// A deletion that is done shows that there is no record. A retry may be done although there is one.
		one.Kind, one.State = order.Show, shownState(call)
		h.calls = append(h.calls, one)
	case call.Outcome == recording.Conflict && isRecordWrite(call.Method) && call.Method != recording.Delete:
		one.Kind, one.State = order.Conflict, shownState(call)
		setPreconditions(&one, call)
		if call.Method == recording.SetLabels {
			one.Kind = order.Show
		}
		h.calls = append(h.calls, one)
	}
}

// addWrite adds a write that was applied, once for all calls with its operation id.
func (h *orderedHistory) addWrite(call *recording.Call, one order.Call) {
	group := h.c.byOperation[operation{call.Game, call.OperationID}]
	applied := h.c.history.Applied(call.Game, call.OperationID)
	if len(group) > 0 && slices.IndexFunc(group, mayHaveApplied) != slices.Index(group, call) {
		return // another call of the group was added for all
	}
	one.Revision, one.Return = 0, math.MaxInt64
	for _, retry := range group {
		one.Start = min(one.Start, retry.Started)
		if retry.Outcome == recording.Done {
			one.Return = min(one.Return, retry.Returned)
			one.Revision = cmp.Or(one.Revision, retry.Revision)
		}
	}
	if len(applied) > 0 {
		one.Revision, one.Return = applied[0].Revision, min(one.Return, applied[0].At)
	}
	if one.Return = max(one.Return, one.Start); one.Revision == 0 || len(applied) == 0 && call.Method == recording.SetLabels {
		return // never applied
	}
	setPreconditions(&one, call)
	switch call.Method {
	case recording.UpdateStatus:
		one.Kind, one.To = order.Update, call.To
	case recording.SetLabels:
		one.Kind = order.Touch
	default:
		one.Kind, one.State = order.Put, stateOfRecord(call.Input, 0)
	}
	h.calls = append(h.calls, one)
}

// setPreconditions sets what a write requires.
func setPreconditions(one *order.Call, call *recording.Call) {
	switch call.Method {
	case recording.PutIf:
		one.If = &call.IfRevision
	case recording.UpdateStatus:
		one.From, one.Container = call.From, call.ContainerID
	default:
	}
}

// addOthers adds the changes of the game that no call made, and the deletions, which have no operation
// id. A change was applied after the one before it, and before the recording received it.
func (h *orderedHistory) addOthers() {
	if h.game == nil {
		return
	}
	starts := map[int64]int64{}
	for i := range h.calls {
		if h.calls[i].Revision != 0 {
			starts[h.calls[i].Revision] = h.calls[i].Start
		}
	}
	latest := int64(0)
	for _, v := range h.game.Versions {
		start, isOfCall := starts[v.Revision]
		if latest = max(latest, start); isOfCall || v.Initial {
			continue
		}
		other := order.Call{Start: min(latest, v.At), Return: v.At, Kind: order.Other, Revision: v.Revision, State: stateOf(v), Source: func() string { return describeVersion(v) }}
		other.State.Revision = 0
		if v.Deleted {
			other.Kind = order.Delete
		}
		h.calls = append(h.calls, other)
	}
}

// shownState returns the record that a response shows.
func shownState(call *recording.Call) order.State { return stateOfRecord(call.Output, call.Revision) }

// stateOf returns the state of a version.
func stateOf(v *truth.Version) order.State {
	if !v.Exists() || v.Record == nil {
		return order.State{}
	}
	return order.State{Revision: v.Revision, Status: v.Record.Status, Container: v.Record.ContainerID, Identity: v.Record.StatePath}
}

// stateOfRecord returns the state of a record in a response or request.
func stateOfRecord(text []byte, revision int64) order.State {
	record, err := truth.ParseRecord(text)
	if err != nil {
		return order.State{}
	}
	return order.State{Revision: revision, Status: record.Status, Container: record.ContainerID, Identity: record.StatePath}
}
