package etcdstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// maxStoredDeletions is how many successful deletions a store keeps in memory, to recognize a
// repeated one: nothing in etcd remains of them.
const maxStoredDeletions = 4096

// deletionKey identifies a call of Delete and its repetitions.
type deletionKey struct{ gameID, operationID string }

// Delete implements ports.RuntimeDeleter by a read and one transaction. It may share a request
// with other writes; a batch that etcd rejects is sent one by one.
func (s *Store) Delete(ctx context.Context, input ports.DeleteInput) error {
	if err := input.Validate(); err != nil {
		return err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := s.etcd.WithOperationTimeout(ctx)
	defer cancel()

	input.Origin.OperationID = cmp.Or(input.Origin.OperationID, operation.NewID())
	key := deletionKey{input.GameID, input.Origin.OperationID}
	if _, isRepeated := s.deletions.Get(key); isRepeated {
		return nil
	}
	if err := s.deleteGame(ctx, input); err != nil {
		return fmt.Errorf("delete game %q: %w", input.GameID, err)
	}
	s.deletions.Add(key, nil)
	s.knownIntents.remove(input.GameID)
	return nil
}

// deleteGame deletes the game as it is read, on one state after the other, as long as the
// game may be deleted.
func (s *Store) deleteGame(ctx context.Context, input ports.DeleteInput) error {
	txn := s.newDeleteTxn(input)
	state, err := txn.readState(ctx)
	if err != nil {
		return err
	}
	for {
		if err := txn.checkState(state); err != nil {
			return err
		}
		txn = txn.withBase(state)
		result, err := commit(ctx, s, txn)
		if errors.Is(err, runtime.ErrReadOnly) {
			result, err = commit(ctx, s, txn.withoutEpoch())
		}
		if err != nil || result.isApplied {
			return err
		}
		state = result.state
	}
}

// checkState returns why the game of the state may not be deleted, nil if it may.
func (t *deleteTxn) checkState(state deletionState) error {
	if fence := t.input.Fence; fence != nil {
		if err := checkFence(*fence, state.leader); err != nil {
			return err
		}
	}
	var record *runtime.VersionedRecord
	if state.record != nil {
		versioned := state.record.Versioned()
		record = &versioned
	}
	return t.input.CheckGame(record, state.intentRevision != 0, state.current)
}
