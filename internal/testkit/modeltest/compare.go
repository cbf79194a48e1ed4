package modeltest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/storetest"
)

// modelPair runs one program on the model and on the store under test.
type modelPair struct {
	t              *testing.T
	h              storetest.Harness
	model          storetest.Model
	store          storetest.Store
	modelRevisions map[int64]int64 // the model's revision by the store's
	writes         []revisionPair  // oldest first
	// lists has all records as of each write, by its revision in the model.
	lists          map[int64][]runtime.VersionedRecord
	compactedIndex int // of writes; those before it are compacted
	operations     int // on the store
}

// revisionPair holds the revisions of one write on the model and on the store. A delete
// returns no revision, so it has no pair.
type revisionPair struct{ model, store int64 }

// chooseRevision returns the revision of one of the two stores.
type chooseRevision func(revisionPair) int64

func newModelPair(t *testing.T, h storetest.Harness) *modelPair {
	return &modelPair{t: t, h: h, model: h.NewModel(), store: h.Open(t), modelRevisions: map[int64]int64{0: 0}, lists: map[int64][]runtime.VersionedRecord{}}
}

// runStep runs the step on both stores and returns an error if the results differ.
func (p *modelPair) runStep(s step) error {
	p.operations++
	switch s.kind {
	case "upsert":
		r := s.newRecord()
		return p.callBoth(s.game, func(ctx context.Context, store storetest.Store) result {
			return result{err: store.Upsert(ctx, r.Clone())}
		})
	case "put":
		return p.comparePut(s)
	case "update":
		return p.callBoth(s.game, func(ctx context.Context, store storetest.Store) result {
			return result{err: store.UpdateStatus(ctx, s.updateInput())}
		})
	case "transition":
		return p.callBoth(s.game, func(ctx context.Context, store storetest.Store) result {
			v, err := store.Transition(ctx, ports.TransitionInput{UpdateStatusInput: s.updateInput(), Origin: s.origin()})
			return result{versions: []runtime.VersionedRecord{v}, err: err}
		})
	case "get":
		return p.compareRead(s.game)
	case "list":
		return p.callBoth(s.game, func(ctx context.Context, store storetest.Store) result {
			records, err := store.List(ctx)
			return result{records: storetest.ByGameID(records), count: len(records), err: err}
		})
	case "listByStatus":
		return p.callBoth(s.game, func(ctx context.Context, store storetest.Store) result {
			records, err := store.ListByStatus(ctx, s.from)
			return result{records: storetest.ByGameID(records), count: len(records), err: err}
		})
	case "page":
		return p.comparePages(s)
	case "history":
		return p.compareHistory(s)
	case "watch":
		return p.compareWatch(s, false)
	case "resync":
		return p.compareWatch(s, true)
	case "remove":
		return p.compareDelete(s)
	case "delete":
		p.model.DeleteKeys(s.game)
		p.h.Delete(p.t, p.store, s.game)
		return p.compareRead(s.game)
	case "compact":
		return p.compactBoth(s)
	}
	return fmt.Errorf("unknown kind of step %q", s.kind)
}

func (s step) updateInput() ports.UpdateStatusInput {
	in := storetest.TransitionInput(s.game, s.from, s.to, s.minute)
	in.ExpectedContainerID = s.container
	return in
}

func (s step) origin() ports.Origin {
	return ports.Origin{OperationID: s.operation, Actor: s.region, Reason: s.node}
}

// result is what one store returns for a step.
type result struct {
	records  map[string]runtime.RuntimeRecord
	versions []runtime.VersionedRecord
	entries  []runtime.LedgerEntry
	events   []ports.RuntimeEvent
	count    int
	err      error
}

// callBoth calls both stores and compares the results. If the call wrote to the game,
// it also records the revisions of the write.
func (p *modelPair) callBoth(game string, call func(context.Context, storetest.Store) result) error {
	return p.callEach(game, func(ctx context.Context, store storetest.Store, _ chooseRevision) result { return call(ctx, store) })
}

// callEach is callBoth for calls with a revision as input. The revisions of one write
// differ between the stores; call gets a function that returns the right one.
func (p *modelPair) callEach(game string, call func(context.Context, storetest.Store, chooseRevision) result) error {
	before, err := p.model.Revision(p.t.Context())
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	want := call(p.t.Context(), p.model, func(w revisionPair) int64 { return w.model })
	got := call(p.t.Context(), p.store, func(w revisionPair) int64 { return w.store })
	if after, _ := p.model.Revision(p.t.Context()); after > before {
		if err := p.recordWrite(game); err != nil {
			return err
		}
	}
	return p.compareResults(want, got)
}

// recordWrite records the revisions of the last write to the game on both stores.
func (p *modelPair) recordWrite(game string) error {
	want, err := p.model.GetVersioned(p.t.Context(), game)
	if errors.Is(err, runtime.ErrNotFound) {
		return nil // a deletion, which returns no revision
	}
	if err != nil {
		return fmt.Errorf("model after a write: %w", err)
	}
	got, err := p.store.GetVersioned(p.t.Context(), game)
	if err != nil {
		return fmt.Errorf("store after a write: %w", err)
	}
	if n := len(p.writes); n > 0 && got.Revision <= p.writes[n-1].store {
		return fmt.Errorf("the write has revision %d in the store, not above %d", got.Revision, p.writes[n-1].store)
	}
	p.writes = append(p.writes, revisionPair{model: want.Revision, store: got.Revision})
	p.modelRevisions[got.Revision] = want.Revision
	all := readPages(p.t.Context(), p.model, ports.PageQuery{Limit: ports.MaxPageLimit})
	if all.err != nil {
		return fmt.Errorf("model after a write: %w", all.err)
	}
	p.lists[want.Revision] = all.versions
	return p.compareResults(result{versions: []runtime.VersionedRecord{want}}, result{versions: []runtime.VersionedRecord{got}})
}

func (p *modelPair) compareResults(want, got result) error {
	if err := p.compareErrors(want.err, got.err); err != nil {
		return err
	}
	for i := range got.versions {
		got.versions[i].Revision = p.modelRevision(got.versions[i].Revision)
	}
	for i := range got.entries {
		got.entries[i].Revision = p.modelRevision(got.entries[i].Revision)
		if i < len(want.entries) && !strings.HasPrefix(want.entries[i].OperationID, "op-") {
			// each store generated its own id
			got.entries[i].OperationID = want.entries[i].OperationID
		}
	}
	for i := range got.events {
		got.events[i].Revision = p.modelRevision(got.events[i].Revision)
		if i < len(want.events) && got.events[i].Type == ports.EventDeleted {
			got.events[i].Revision = want.events[i].Revision
		}
	}
	want.err, got.err = nil, nil
	if !reflect.DeepEqual(want, got) {
		return fmt.Errorf("model returned\n%+v\nstore returned\n%+v", want, got)
	}
	return nil
}

// modelRevision returns the model's revision of the write that has the revision in the
// store. It returns a negative revision, which the model never has, if there is none.
func (p *modelPair) modelRevision(revision int64) int64 {
	if model, ok := p.modelRevisions[revision]; ok {
		return model
	}
	return -revision
}

// mismatchError reports that the errors differ; either may be nil. It wraps neither.
func mismatchError(want, got error) error {
	return fmt.Errorf("model returned error %v; store returned error %v", want, got) //nolint:errorlint // reported, not wrapped
}

// compareErrors returns an error unless both errors have the same sentinel and, if they
// are conflicts, the same fields.
func (p *modelPair) compareErrors(want, got error) error {
	for _, class := range []error{
		runtime.ErrNotFound, runtime.ErrConflict, runtime.ErrInvalidTransition, runtime.ErrInvalid, runtime.ErrFenced,
		runtime.ErrOutcomeUnknown, runtime.ErrCompacted, runtime.ErrForeignRevision, runtime.ErrCorrupt,
		runtime.ErrReadOnly, runtime.ErrUnavailable, runtime.ErrIncompatible, operation.ErrRejected,
	} {
		if errors.Is(want, class) != errors.Is(got, class) {
			return mismatchError(want, got)
		}
	}
	if (want == nil) != (got == nil) {
		return mismatchError(want, got)
	}
	var wantConflict, gotConflict *runtime.ConflictError
	if errors.As(want, &wantConflict) && errors.As(got, &gotConflict) {
		mapped := *gotConflict
		mapped.Revision = p.modelRevision(mapped.Revision)
		if mapped.Precondition == runtime.PreconditionRevision {
			mapped.Expected, mapped.Actual = p.modelRevisionText(mapped.Expected), p.modelRevisionText(mapped.Actual)
		}
		if !reflect.DeepEqual(*wantConflict, mapped) {
			return fmt.Errorf("model returned conflict %+v; store returned conflict %+v", *wantConflict, mapped)
		}
	}
	return nil
}

func (p *modelPair) modelRevisionText(revision string) string {
	number, err := strconv.ParseInt(revision, 10, 64)
	if err != nil {
		return revision
	}
	return strconv.FormatInt(p.modelRevision(number), 10)
}

// checkStore returns an error if Check finds a violation or counts other numbers of keys
// than the model has.
func (p *modelPair) checkStore() error {
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
