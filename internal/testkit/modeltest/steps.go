package modeltest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/storetest"
)

// compareRead compares the game's record on both stores.
func (p *modelPair) compareRead(game string) error {
	return p.callBoth(game, func(ctx context.Context, store storetest.Store) result {
		v, err := store.GetVersioned(ctx, game)
		return result{versions: []runtime.VersionedRecord{v}, err: err}
	})
}

func (p *modelPair) comparePut(s step) error {
	expected, isConditional := p.expectedWrite(s)
	return p.callEach(s.game, func(ctx context.Context, store storetest.Store, revisionOf chooseRevision) result {
		input := ports.PutInput{Record: s.newRecord(), Origin: s.origin()}
		if isConditional {
			input.IfRevision = storetest.Pointer(revisionOf(expected))
		}
		v, err := store.Put(ctx, input)
		return result{versions: []runtime.VersionedRecord{v}, err: err}
	})
}

// compareDelete compares a deletion, conditional as a Put would be, and the game after it.
func (p *modelPair) compareDelete(s step) error {
	expected, isConditional := p.expectedWrite(s)
	err := p.callEach(s.game, func(ctx context.Context, store storetest.Store, revisionOf chooseRevision) result {
		input := ports.DeleteInput{GameID: s.game, Origin: s.origin()}
		if isConditional {
			input.IfRevision = storetest.Pointer(revisionOf(expected))
		}
		return result{err: store.Delete(ctx, input)}
	})
	if err != nil {
		return err
	}
	return p.compareRead(s.game)
}

// expectedWrite returns the write whose revision is the precondition of the step's Put. It
// returns the zero pair if the game must have no record, and false without a precondition.
func (p *modelPair) expectedWrite(s step) (expected revisionPair, isConditional bool) {
	switch s.precondition {
	case putIfAbsent:
		return revisionPair{}, true
	case putIfUnchanged:
		current, err := p.model.GetVersioned(p.t.Context(), s.game)
		if err != nil {
			return revisionPair{}, true
		}
		at := slices.IndexFunc(p.writes, func(w revisionPair) bool { return w.model == current.Revision })
		return p.writes[at], true
	case putIfStale:
		if len(p.writes) > 0 {
			return p.selectWrite(s), true
		}
	default: // no precondition
	}
	return revisionPair{}, false
}

// selectWrite returns the write that the step selects, counted from the newest.
func (p *modelPair) selectWrite(s step) revisionPair { return p.writes[p.selectIndex(s)] }

func (p *modelPair) selectIndex(s step) int { return max(0, len(p.writes)-1-s.write) }

func (p *modelPair) compareHistory(s step) error {
	return p.callBoth(s.game, func(ctx context.Context, store storetest.Store) result {
		entries, err := store.History(ctx, s.game)
		return result{entries: entries, err: err}
	})
}

// oneOrNone returns the values of a filter: none for an empty value.
func oneOrNone(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// comparePages compares a whole list, at the revision of an earlier write if the limit
// is odd.
func (p *modelPair) comparePages(s step) error {
	query := ports.PageQuery{RecordFilter: ports.RecordFilter{Regions: oneOrNone(s.region), Nodes: oneOrNone(s.node)}, Limit: s.limit}
	if s.container == "" {
		query.Statuses = []runtime.Status{s.from, s.to}
	}
	if s.minute%3 == 0 {
		query.Labels = s.selector()
	}
	var at revisionPair
	if s.limit%2 == 1 && len(p.writes) > 0 {
		index := p.selectIndex(s)
		at = p.writes[index]
		if index < p.compactedIndex {
			return p.compareCompactedPages(at, query)
		}
	}
	return p.callEach(s.game, func(ctx context.Context, store storetest.Store, revisionOf chooseRevision) result {
		query := query
		query.Revision = revisionOf(at)
		return readPages(ctx, store, query)
	})
}

// readPages reads a whole list.
func readPages(ctx context.Context, store storetest.Store, query ports.PageQuery) (list result) {
	for {
		page, err := store.ListPage(ctx, query)
		list.versions, list.err = append(list.versions, page.Records...), err
		if err != nil || page.Next == "" {
			return list
		}
		query.Revision, query.After = page.Revision, page.Next
	}
}

// compareCompactedPages compares a list at a compacted revision. The model rejects it. The
// store may have the records of that revision in memory; they are those that the model had
// then.
func (p *modelPair) compareCompactedPages(at revisionPair, query ports.PageQuery) error {
	query.Revision = at.model
	if want := readPages(p.t.Context(), p.model, query); !errors.Is(want.err, runtime.ErrCompacted) {
		return mismatchError(runtime.ErrCompacted, want.err)
	}
	query.Revision = at.store
	got := readPages(p.t.Context(), p.store, query)
	if errors.Is(got.err, runtime.ErrCompacted) {
		return nil
	}
	var want result
	for _, v := range p.lists[at.model] {
		if query.Matches(v.Record) {
			want.versions = append(want.versions, v)
		}
	}
	return p.compareResults(want, got)
}

// compactBoth compacts both stores at the write that the step selects.
func (p *modelPair) compactBoth(s step) error {
	if len(p.writes) == 0 {
		return nil
	}
	at := p.selectIndex(s)
	if at <= p.compactedIndex {
		return nil
	}
	if err := p.model.Compact(p.writes[at].model); err != nil {
		return fmt.Errorf("compact the model: %w", err)
	}
	p.h.Compact(p.t, p.store, p.writes[at].store)
	p.compactedIndex = at
	return nil
}

// compareWatch compares the events of both stores from the write that the step selects.
// It first makes a write that matches the filter, which marks the end of both streams.
func (p *modelPair) compareWatch(s step, isResync bool) error {
	if len(p.writes) == 0 {
		return nil
	}
	index := p.selectIndex(s)
	if index == p.compactedIndex-1 {
		// a store may or may not still have the change at its compacted revision
		return nil
	}
	from := p.writes[index]
	options := ports.WatchOptions{RecordFilter: ports.RecordFilter{Regions: oneOrNone(s.region), Nodes: oneOrNone(s.node)}, Resync: isResync}
	marker := step{kind: "upsert", game: s.game, to: s.to, region: s.region, node: s.node, minute: s.minute}
	switch s.limit {
	case 1:
		options.GameID = s.game
	case 2:
		options.Statuses = []runtime.Status{s.to}
	case 3:
		from = revisionPair{}
	case 4:
		options.Labels = s.selectorOf(marker.newRecord().Labels)
	}
	if err := p.runStep(marker); err != nil {
		return fmt.Errorf("mark the end of the watch: %w", err)
	}
	end := p.writes[len(p.writes)-1]
	return p.callEach(s.game, func(ctx context.Context, store storetest.Store, revisionOf chooseRevision) result {
		options.FromRevision = revisionOf(from)
		return collectEvents(ctx, store, options, revisionOf(end))
	})
}

// collectEvents reads a stream up to the write at the revision. Snapshot events have any
// order and any revision, so it returns them as records.
func collectEvents(ctx context.Context, store storetest.Store, options ports.WatchOptions, end int64) result {
	ctx, cancel := context.WithTimeout(ctx, storetest.WatchTimeout)
	defer cancel()
	collected := result{records: map[string]runtime.RuntimeRecord{}}
	for event, err := range store.Watch(ctx, options) {
		if err != nil {
			collected.err = err
			return collected
		}
		switch event.Type {
		case ports.EventBookmark:
			continue
		case ports.EventSnapshot:
			collected.records[event.GameID] = *event.After
			collected.count++
			continue
		case ports.EventResync, ports.EventSynced:
			event.Revision = 0
		default: // a change: compared as it is
		}
		collected.events = append(collected.events, event)
		// a snapshot may already contain the last write
		if event.Revision == end || event.Type == ports.EventSynced {
			return collected
		}
	}
	return collected
}
