package memstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// ledgerSize is how many ledger entries a game keeps.
const ledgerSize = 32

// Upsert inserts or overwrites; see ports.RuntimeRecordStore.
func (s *Store) Upsert(ctx context.Context, record runtime.RuntimeRecord) error {
	_, err := s.Put(ctx, ports.PutInput{Record: record})
	return err
}

// UpdateStatus moves a game by compare-and-swap; see ports.RuntimeRecordStore.
func (s *Store) UpdateStatus(ctx context.Context, input ports.UpdateStatusInput) error {
	_, err := s.Transition(ctx, ports.TransitionInput{UpdateStatusInput: input})
	return err
}

// Put inserts or overwrites with an expectation; see ports.RuntimeWriter.
func (s *Store) Put(ctx context.Context, input ports.PutInput) (runtime.VersionedRecord, error) {
	if err := input.Validate(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	return s.write(ctx, writeRequest{
		gameID: input.Record.GameID,
		kind:   ports.EventUpserted,
		origin: input.Origin,
		fence:  input.Fence,
		at:     input.Record.LastOpAt,
		apply: func(current *version) (runtime.RuntimeRecord, error) {
			if err := compareRevision(input.Record.GameID, current, input.IfRevision); err != nil {
				return runtime.RuntimeRecord{}, err
			}
			return input.Record.InUTC(), nil
		},
	})
}

// Transition moves a game by compare-and-swap; see ports.RuntimeWriter.
func (s *Store) Transition(ctx context.Context, input ports.TransitionInput) (runtime.VersionedRecord, error) {
	if err := input.Validate(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	return s.write(ctx, writeRequest{
		gameID: input.GameID,
		kind:   ports.EventTransitioned,
		origin: input.Origin,
		fence:  input.Fence,
		at:     input.Now,
		apply: func(current *version) (runtime.RuntimeRecord, error) {
			if current == nil {
				return runtime.RuntimeRecord{}, notFound(input.GameID)
			}
			if err := compareExpectations(current, input.UpdateStatusInput); err != nil {
				return runtime.RuntimeRecord{}, err
			}
			return current.record.Apply(input.To, input.Now)
		},
	})
}

// writeRequest is what Put and Transition have in common. Apply gives the new
// record for the present version, which is nil where there is none.
type writeRequest struct {
	gameID string
	kind   ports.EventType
	origin ports.Origin
	fence  *node.Fence
	at     time.Time
	apply  func(current *version) (runtime.RuntimeRecord, error)
}

func (s *Store) write(ctx context.Context, request writeRequest) (runtime.VersionedRecord, error) {
	if request.origin.OperationID == "" {
		fresh, err := uuid.NewV7()
		if err != nil {
			return runtime.VersionedRecord{}, fmt.Errorf("make an operation id: %w", err)
		}
		request.origin.OperationID = fresh.String()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	current := s.current(request.gameID)
	// a repeated operation comes first: whether it may run now is no question,
	// because it already has
	if current != nil && s.hasRun(request.gameID, request.origin.OperationID) {
		return current.export(), nil
	}
	if err := s.checkFence(request.gameID, request.fence); err != nil {
		return runtime.VersionedRecord{}, err
	}
	after, err := request.apply(current)
	if err != nil {
		return runtime.VersionedRecord{}, err
	}
	return s.commit(request, current, after), nil
}

// commit stores the record and its ledger entry. The caller holds mu.
func (s *Store) commit(request writeRequest, current *version, after runtime.RuntimeRecord) runtime.VersionedRecord {
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
	entry.Revision = s.append(c)

	g := s.games[request.gameID]
	if n := len(g.ledger); n > 0 {
		entry.Seq = g.ledger[n-1].Seq + 1
	}
	g.ledger = append(g.ledger, entry)
	if extra := len(g.ledger) - ledgerSize; extra > 0 {
		g.ledger = slices.Delete(g.ledger, 0, extra)
	}
	return runtime.VersionedRecord{Record: after.Clone(), Revision: entry.Revision}
}

// hasRun reports whether the operation is among the game's ledger entries. The
// caller holds mu.
func (s *Store) hasRun(gameID, operationID string) bool {
	return slices.ContainsFunc(s.games[gameID].ledger, func(e runtime.LedgerEntry) bool {
		return e.OperationID == operationID
	})
}

// checkFence returns nil for no fence and for one that holds. The caller holds mu.
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

func compareRevision(gameID string, current *version, expected *int64) error {
	var actual int64
	if current != nil {
		actual = current.revision
	}
	if expected == nil || *expected == actual {
		return nil
	}
	conflict := &runtime.ConflictError{
		GameID:       gameID,
		Precondition: runtime.PreconditionRevision,
		Expected:     strconv.FormatInt(*expected, 10),
		Actual:       strconv.FormatInt(actual, 10),
		Revision:     actual,
	}
	if current != nil {
		conflict.Current = current.record.Clone()
	}
	return conflict
}

func compareExpectations(current *version, input ports.UpdateStatusInput) error {
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

func notFound(gameID string) error {
	return fmt.Errorf("game %q: %w", gameID, runtime.ErrNotFound)
}
