package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// pair is the model and the store under test, taken through one program.
type pair struct {
	t          *testing.T
	h          Harness
	model      *memstore.Store
	store      ports.Store
	toModel    map[int64]int64 // the store's revisions as the model's
	writes     []written       // in order
	floor      int             // writes before this one are compacted
	operations int
}

// written is one write by the revisions at which both sides made it. A delete
// tells no revision and is not among them.
type written struct{ model, store int64 }

func newPair(t *testing.T, h Harness) *pair {
	return &pair{t: t, h: h, model: memstore.New(), store: h.Open(t), toModel: map[int64]int64{0: 0}}
}

// run makes the step on both sides and returns how their answers differ.
func (p *pair) run(s step) error {
	p.operations++
	switch s.kind {
	case "upsert":
		r := s.record()
		return p.both(s.game, func(ctx context.Context, side ports.Store) answer {
			return answer{err: side.Upsert(ctx, r.Clone())}
		})
	case "put":
		return p.put(s)
	case "update":
		return p.both(s.game, func(ctx context.Context, side ports.Store) answer {
			return answer{err: side.UpdateStatus(ctx, s.input())}
		})
	case "transition":
		return p.both(s.game, func(ctx context.Context, side ports.Store) answer {
			v, err := side.Transition(ctx, ports.TransitionInput{UpdateStatusInput: s.input(), Origin: s.origin()})
			return answer{versions: []runtime.VersionedRecord{v}, err: err}
		})
	case "get":
		return p.read(s.game)
	case "list":
		return p.both(s.game, func(ctx context.Context, side ports.Store) answer {
			records, err := side.List(ctx)
			return answer{records: byID(records), count: len(records), err: err}
		})
	case "listByStatus":
		return p.both(s.game, func(ctx context.Context, side ports.Store) answer {
			records, err := side.ListByStatus(ctx, s.from)
			return answer{records: byID(records), count: len(records), err: err}
		})
	case "page":
		return p.page(s)
	case "history":
		return p.history(s)
	case "watch":
		return p.watch(s, false)
	case "resync":
		return p.watch(s, true)
	case "delete":
		p.model.Delete(s.game)
		p.h.Delete(p.t, p.store, s.game)
		return p.read(s.game)
	case "compact":
		return p.compact(s)
	}
	return fmt.Errorf("unknown kind of step %q", s.kind)
}

func (s step) input() ports.UpdateStatusInput {
	in := move(s.game, s.from, s.to, s.minute)
	in.ExpectedContainerID = s.container
	return in
}

func (s step) origin() ports.Origin {
	return ports.Origin{OperationID: s.operation, Actor: s.region, Reason: s.node}
}

// answer is what one side says to a step.
type answer struct {
	records  map[string]runtime.RuntimeRecord
	versions []runtime.VersionedRecord
	entries  []runtime.LedgerEntry
	events   []ports.RuntimeEvent
	count    int
	err      error
}

// both calls both sides, learns which revisions belong together if the call
// wrote, and compares.
func (p *pair) both(game string, call func(context.Context, ports.Store) answer) error {
	return p.each(game, func(ctx context.Context, side ports.Store, _ func(written) int64) answer { return call(ctx, side) })
}

// each is both for calls that name revisions, which differ between the sides;
// the function that call is given takes the side's own revision of a write.
func (p *pair) each(game string, call func(context.Context, ports.Store, func(written) int64) answer) error {
	before, err := p.model.Revision(p.t.Context())
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	want := call(p.t.Context(), p.model, func(w written) int64 { return w.model })
	got := call(p.t.Context(), p.store, func(w written) int64 { return w.store })
	if after, _ := p.model.Revision(p.t.Context()); after > before {
		if err := p.learn(game); err != nil {
			return err
		}
	}
	return p.compare(want, got)
}

// learn notes at which revisions both sides made the write that just happened.
func (p *pair) learn(game string) error {
	want, err := p.model.GetVersioned(p.t.Context(), game)
	if err != nil {
		return fmt.Errorf("model after a write: %w", err)
	}
	got, err := p.store.GetVersioned(p.t.Context(), game)
	if err != nil {
		return fmt.Errorf("store after a write: %w", err)
	}
	if n := len(p.writes); n > 0 && got.Revision <= p.writes[n-1].store {
		return fmt.Errorf("the write left the store at revision %d, not above %d", got.Revision, p.writes[n-1].store)
	}
	p.writes = append(p.writes, written{model: want.Revision, store: got.Revision})
	p.toModel[got.Revision] = want.Revision
	return p.compare(answer{versions: []runtime.VersionedRecord{want}}, answer{versions: []runtime.VersionedRecord{got}})
}

func (p *pair) compare(want, got answer) error {
	if err := p.compareErrors(want.err, got.err); err != nil {
		return err
	}
	for i := range got.versions {
		got.versions[i].Revision = p.translate(got.versions[i].Revision)
	}
	for i := range got.entries {
		got.entries[i].Revision = p.translate(got.entries[i].Revision)
		if i < len(want.entries) && !strings.HasPrefix(want.entries[i].OperationID, "op-") {
			// both sides made the id up
			got.entries[i].OperationID = want.entries[i].OperationID
		}
	}
	for i := range got.events {
		got.events[i].Revision = p.translate(got.events[i].Revision)
		if i < len(want.events) && got.events[i].Type == ports.EventDeleted {
			got.events[i].Revision = want.events[i].Revision
		}
	}
	want.err, got.err = nil, nil
	if !reflect.DeepEqual(want, got) {
		return fmt.Errorf("model answers\n%+v\nstore answers\n%+v", want, got)
	}
	return nil
}

// translate returns the model's revision for one of the store's, or one that
// the model never has.
func (p *pair) translate(revision int64) int64 {
	if model, ok := p.toModel[revision]; ok {
		return model
	}
	return -revision
}

// disagreement tells both errors and is neither: either may be nil.
func disagreement(want, got error) error {
	return fmt.Errorf("model fails with %v; store fails with %v", want, got) //nolint:errorlint // told, not wrapped
}

// compareErrors wants errors of one class that carry the same.
func (p *pair) compareErrors(want, got error) error {
	for _, class := range []error{
		runtime.ErrNotFound, runtime.ErrConflict, runtime.ErrInvalidTransition, runtime.ErrInvalid, runtime.ErrFenced,
		runtime.ErrOutcomeUnknown, runtime.ErrCompacted, runtime.ErrForeignRevision, runtime.ErrCorrupt,
		runtime.ErrReadOnly, runtime.ErrUnavailable, runtime.ErrIncompatible,
	} {
		if errors.Is(want, class) != errors.Is(got, class) {
			return disagreement(want, got)
		}
	}
	if (want == nil) != (got == nil) {
		return disagreement(want, got)
	}
	var wantConflict, gotConflict *runtime.ConflictError
	if errors.As(want, &wantConflict) && errors.As(got, &gotConflict) {
		mapped := *gotConflict
		mapped.Revision = p.translate(mapped.Revision)
		if mapped.Precondition == runtime.PreconditionRevision {
			mapped.Expected, mapped.Actual = p.translateText(mapped.Expected), p.translateText(mapped.Actual)
		}
		if !reflect.DeepEqual(*wantConflict, mapped) {
			return fmt.Errorf("model conflicts with %+v; store conflicts with %+v", *wantConflict, mapped)
		}
	}
	return nil
}

func (p *pair) translateText(revision string) string {
	number, err := strconv.ParseInt(revision, 10, 64)
	if err != nil {
		return revision
	}
	return strconv.FormatInt(p.translate(number), 10)
}

// read compares what both sides say of one game.
func (p *pair) read(game string) error {
	return p.both(game, func(ctx context.Context, side ports.Store) answer {
		v, err := side.GetVersioned(ctx, game)
		return answer{versions: []runtime.VersionedRecord{v}, err: err}
	})
}

func (p *pair) put(s step) error {
	expected, given := p.expected(s)
	return p.each(s.game, func(ctx context.Context, side ports.Store, own func(written) int64) answer {
		input := ports.PutInput{Record: s.record(), Origin: s.origin()}
		if given {
			input.IfRevision = pointer(own(expected))
		}
		v, err := side.Put(ctx, input)
		return answer{versions: []runtime.VersionedRecord{v}, err: err}
	})
}

// expected returns the write that a Put expects to be the game's last: the zero
// one stands for no record.
func (p *pair) expected(s step) (expected written, given bool) {
	switch s.expect {
	case expectAbsence:
		return written{}, true
	case expectPresent:
		now, err := p.model.GetVersioned(p.t.Context(), s.game)
		if err != nil {
			return written{}, true
		}
		at := slices.IndexFunc(p.writes, func(w written) bool { return w.model == now.Revision })
		return p.writes[at], true
	case expectStale:
		if len(p.writes) > 0 {
			return p.earlier(s), true
		}
	default: // expects nothing
	}
	return written{}, false
}

// earlier returns the write that the step selects, counted from the newest.
func (p *pair) earlier(s step) written { return p.writes[p.earlierIndex(s)] }

func (p *pair) earlierIndex(s step) int { return max(0, len(p.writes)-1-s.write) }

func (p *pair) history(s step) error {
	return p.both(s.game, func(ctx context.Context, side ports.Store) answer {
		entries, err := side.History(ctx, s.game)
		return answer{entries: entries, err: err}
	})
}

// page compares a whole list: at an earlier write if its limit is odd.
func (p *pair) page(s step) error {
	var at written
	if s.limit%2 == 1 && len(p.writes) > 0 {
		at = p.earlier(s)
	}
	return p.each(s.game, func(ctx context.Context, side ports.Store, own func(written) int64) answer {
		query := ports.PageQuery{Region: s.region, Node: s.node, Limit: s.limit, Revision: own(at)}
		if s.container == "" {
			query.Status = s.from
		}
		var all answer
		for {
			page, err := side.ListPage(ctx, query)
			all.versions, all.err = append(all.versions, page.Records...), err
			if err != nil || page.Next == "" {
				return all
			}
			query.Revision, query.After = page.Revision, page.Next
		}
	})
}

// compact forgets what came before the write that the step selects.
func (p *pair) compact(s step) error {
	if len(p.writes) == 0 {
		return nil
	}
	at := p.earlierIndex(s)
	if at <= p.floor {
		return nil
	}
	if err := p.model.Compact(p.writes[at].model); err != nil {
		return fmt.Errorf("compact the model: %w", err)
	}
	p.h.Compact(p.t, p.store, p.writes[at].store)
	p.floor = at
	return nil
}

// watch compares what both sides replay from the write that the step selects.
// It first makes a write that the filter lets pass, so that both streams have an
// end to be read up to.
func (p *pair) watch(s step, resync bool) error {
	if len(p.writes) == 0 {
		return nil
	}
	index := p.earlierIndex(s)
	if index == p.floor-1 {
		// a store may or may not still know the one change that it compacted at
		return nil
	}
	from := p.writes[index]
	options := ports.WatchOptions{Region: s.region, Node: s.node, Resync: resync}
	switch s.limit {
	case 1:
		options.GameID = s.game
	case 2:
		options.Status = s.to
	case 3:
		from = written{}
	}
	mark := step{kind: "upsert", game: s.game, to: s.to, region: s.region, node: s.node, minute: s.minute}
	if err := p.run(mark); err != nil {
		return fmt.Errorf("mark the end of the watch: %w", err)
	}
	end := p.writes[len(p.writes)-1]
	return p.each(s.game, func(ctx context.Context, side ports.Store, own func(written) int64) answer {
		options.FromRevision = own(from)
		return replay(ctx, side, options, own(end))
	})
}

// replay reads a stream up to the write at the revision. The events of a
// snapshot come in any order and stand at any revision, so they are returned as
// records.
func replay(ctx context.Context, side ports.Store, options ports.WatchOptions, end int64) answer {
	ctx, cancel := context.WithTimeout(ctx, watchPatience)
	defer cancel()
	seen := answer{records: map[string]runtime.RuntimeRecord{}}
	for event, err := range side.Watch(ctx, options) {
		if err != nil {
			seen.err = err
			return seen
		}
		switch event.Type {
		case ports.EventBookmark:
			continue
		case ports.EventSnapshot:
			seen.records[event.GameID] = *event.After
			seen.count++
			continue
		case ports.EventResync, ports.EventSynced:
			event.Revision = 0
		default: // a change, told as it is
		}
		seen.events = append(seen.events, event)
		// a snapshot may already hold the last write
		if event.Revision == end || event.Type == ports.EventSynced {
			return seen
		}
	}
	return seen
}

// check wants the store's rules kept, and nothing more in it than in the model.
func (p *pair) check() error {
	report, err := p.store.Check(p.t.Context(), false)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	if len(report.Findings) > 0 {
		return fmt.Errorf("check found %+v", report.Findings)
	}
	want, err := p.model.Check(p.t.Context(), false)
	if err != nil {
		return fmt.Errorf("check the model: %w", err)
	}
	if report.Records != want.Records || report.IndexKeys != want.IndexKeys || report.LedgerEntries != want.LedgerEntries {
		return fmt.Errorf("model counts %+v, store counts %+v", want, report)
	}
	return nil
}
