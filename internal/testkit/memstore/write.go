package memstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// ledgerSize is the number of ledger entries that a game keeps.
const ledgerSize = 32

// Put implements ports.RuntimeWriter.
func (s *Store) Put(ctx context.Context, input ports.PutInput) (runtime.VersionedRecord, error) {
	if err := input.Validate(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	return s.write(ctx, writeRequest{
		gameID: input.Record.GameID,
		kind:   ports.EventUpserted,
		origin: input.Origin, contentsHash: input.ContentsHash(),
		fence: input.Fence,
		guard: input.Guard,
		at:    input.EntryTime(),
		apply: func(current *recordVersion) (runtime.RuntimeRecord, error) {
			if err := compareRevision(input.Record.GameID, current, input.IfRevision); err != nil {
				return runtime.RuntimeRecord{}, err
			}
			return input.Record.InUTC(), nil
		},
	})
}

// Transition implements ports.RuntimeWriter.
func (s *Store) Transition(ctx context.Context, input ports.TransitionInput) (runtime.VersionedRecord, error) {
	if err := input.Validate(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	return s.write(ctx, writeRequest{
		gameID: input.GameID,
		kind:   ports.EventTransitioned,
		origin: input.Origin, contentsHash: input.ContentsHash(),
		fence: input.Fence,
		guard: input.Guard,
		at:    input.Now,
		apply: func(current *recordVersion) (runtime.RuntimeRecord, error) {
			if current == nil {
				return runtime.RuntimeRecord{}, notFoundError(input.GameID)
			}
			if err := comparePreconditions(current, input.UpdateStatusInput); err != nil {
				return runtime.RuntimeRecord{}, err
			}
			return input.Apply(current.record.Clone())
		},
	})
}

// writeRequest is a Put or a Transition. apply returns the new record for the current
// version, which is nil if there is none.
type writeRequest struct {
	gameID string
	kind   ports.EventType
	origin ports.Origin
	// contentsHash is compared with that of an earlier write that has the operation id.
	contentsHash string
	fence        *node.Fence
	guard        ports.OperationGuard
	at           time.Time
	apply        func(current *recordVersion) (runtime.RuntimeRecord, error)
}

func (s *Store) write(ctx context.Context, request writeRequest) (runtime.VersionedRecord, error) {
	if request.origin.OperationID == "" {
		request.origin.OperationID = operation.NewID()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	current := s.currentVersion(request.gameID)
	// The operation was applied before, so its preconditions do not matter.
	if isRepeated, err := s.findOperation(request); current != nil && isRepeated {
		if err != nil {
			return runtime.VersionedRecord{}, err
		}
		return current.toVersionedRecord(), nil
	}
	if err := s.checkFence(request.gameID, request.fence); err != nil {
		return runtime.VersionedRecord{}, err
	}
	after, err := request.apply(current)
	if err != nil {
		return runtime.VersionedRecord{}, err
	}
	if err := s.checkGuard(request, current, after); err != nil {
		return runtime.VersionedRecord{}, err
	}
	return s.appendWrite(request, current, after), nil
}

// appendWrite stores the record and its ledger entry. mu must be held.
func (s *Store) appendWrite(request writeRequest, current *recordVersion, after runtime.RuntimeRecord) runtime.VersionedRecord {
	c := change{gameID: request.gameID, kind: request.kind, after: &after}
	entry := runtime.LedgerEntry{
		Seq:         1,
		To:          after.Status,
		At:          request.at.Round(0).UTC(),
		OperationID: request.origin.OperationID,
		Actor:       request.origin.Actor,
		Reason:      request.origin.Reason,
		ContainerID: after.CurrentContainerID,
		Image:       after.CurrentImageRef,
	}
	if current != nil {
		c.before = current.record
		entry.From = current.record.Status
	}
	entry.Revision = s.appendChange(c)

	g := s.games[request.gameID]
	if n := len(g.ledger); n > 0 {
		entry.Seq = g.ledger[n-1].Seq + 1
	}
	g.ledger = append(g.ledger, ledgerEntry{entry, request.contentsHash})
	if extra := len(g.ledger) - ledgerSize; extra > 0 {
		g.ledger = slices.Delete(g.ledger, 0, extra)
	}
	return runtime.VersionedRecord{Record: after.Clone(), Revision: entry.Revision}
}

// findOperation reports whether the operation id is among the game's ledger entries. The
// error is an *operation.IDReusedError if that write had other contents. mu must be held.
func (s *Store) findOperation(request writeRequest) (isRepeated bool, err error) {
	g, id := s.games[request.gameID], request.origin.OperationID
	if g == nil {
		return false, nil
	}
	i := slices.IndexFunc(g.ledger, func(e ledgerEntry) bool { return e.OperationID == id })
	if i < 0 {
		return false, nil
	}
	if hash := g.ledger[i].contentsHash; hash != "" && hash != request.contentsHash && !request.origin.IgnoreContents {
		return true, &operation.IDReusedError{GameID: request.gameID, OperationID: id}
	}
	return true, nil
}

// checkGuard returns the error of a guard that does not hold. mu must be held.
func (s *Store) checkGuard(request writeRequest, current *recordVersion, after runtime.RuntimeRecord) error {
	ref, guard := node.RefOf(after), request.guard.Resolve(nil)
	if current != nil {
		ref, guard = node.RefOf(*current.record), request.guard.Resolve(current.record)
	}
	stored := s.intents[storeKey(request.gameID)]
	op := stored.Intent.Current
	switch {
	case guard == ports.GuardNone || stored.Revision == 0:
		return nil
	case op != nil && (guard == ports.GuardNoIntent || op.NodeRef() == ref):
		return operation.NewBusyError(request.gameID, *op)
	case op == nil && guard == ports.GuardNoIntent:
		return &operation.ManagedError{GameID: request.gameID, Node: ref, To: after.Status}
	default:
		return nil
	}
}

// checkFence returns nil for no fence and for a valid one, and otherwise
// runtime.ErrFenced. mu must be held.
func (s *Store) checkFence(gameID string, fence *node.Fence) error {
	if fence == nil {
		return nil
	}
	if created, ok := s.fences[fence.Key]; ok && created == fence.CreateRevision {
		return nil
	}
	return fmt.Errorf("game %q: leader key %q created at revision %d: %w",
		gameID, fence.Key, fence.CreateRevision, runtime.ErrFenced)
}

// compareRevision returns a conflict if the current version has another revision.
func compareRevision(gameID string, current *recordVersion, expected *int64) error {
	var found runtime.VersionedRecord
	if current != nil {
		found = current.toVersionedRecord()
	}
	if expected == nil || *expected == found.Revision {
		return nil
	}
	return runtime.NewRevisionConflict(gameID, *expected, found)
}

// comparePreconditions returns a conflict if the status or the container of the current
// version is not the expected one.
func comparePreconditions(current *recordVersion, input ports.UpdateStatusInput) error {
	conflict := &runtime.ConflictError{
		GameID:   input.GameID,
		Current:  current.record.Clone(),
		Revision: current.revision,
	}
	switch {
	case current.record.Status != input.ExpectedFrom:
		conflict.Precondition = runtime.PreconditionStatus
		conflict.Expected = string(input.ExpectedFrom)
		conflict.Actual = string(current.record.Status)
	case input.ExpectedContainerID != "" && current.record.CurrentContainerID != input.ExpectedContainerID:
		conflict.Precondition = runtime.PreconditionContainerID
		conflict.Expected = input.ExpectedContainerID
		conflict.Actual = current.record.CurrentContainerID
	default:
		return nil
	}
	return conflict
}

func notFoundError(gameID string) error {
	return fmt.Errorf("game %q: %w", gameID, runtime.ErrNotFound)
}
