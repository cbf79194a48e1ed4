package modeltest

import (
	"context"
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

// comparePages compares a whole list, at the revision of an earlier write if the limit
// is odd.
func (p *modelPair) comparePages(s step) error {
	var at revisionPair
	if s.limit%2 == 1 && len(p.writes) > 0 {
		at = p.selectWrite(s)
	}
	return p.callEach(s.game, func(ctx context.Context, store storetest.Store, revisionOf chooseRevision) result {
		query := ports.PageQuery{Region: s.region, Node: s.node, Limit: s.limit, Revision: revisionOf(at)}
		if s.container == "" {
			query.Status = s.from
		}
		var combined result
		for {
			page, err := store.ListPage(ctx, query)
			combined.versions, combined.err = append(combined.versions, page.Records...), err
			if err != nil || page.Next == "" {
				return combined
			}
			query.Revision, query.After = page.Revision, page.Next
		}
	})
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
	options := ports.WatchOptions{Region: s.region, Node: s.node, Resync: isResync}
	switch s.limit {
	case 1:
		options.GameID = s.game
	case 2:
		options.Status = s.to
	case 3:
		from = revisionPair{}
	}
	marker := step{kind: "upsert", game: s.game, to: s.to, region: s.region, node: s.node, minute: s.minute}
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
