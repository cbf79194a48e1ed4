package reconcile

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// hasConditionDrift reports whether the record of the game states another condition than the
// observation.
func hasConditionDrift(o drift.Observation, findings []drift.Finding) bool {
	condition, isOwn := o.Condition(findings)
	return isOwn && !o.OperationActive && !condition.Equal(o.Record.Condition)
}

// syncCondition writes the condition of the game's record if it differs from the observation,
// and updates the observation with the new record. A record that has changed since is
// observed once more.
func (w *Worker) syncCondition(ctx context.Context, o *drift.Observation, findings []drift.Finding) error {
	if !hasConditionDrift(*o, findings) {
		return nil
	}
	condition, _ := o.Condition(findings)
	updated, err := w.setCondition(ctx, runtime.VersionedRecord{Record: *o.Record, Revision: o.RecordRevision}, o.IntentRevision, condition)
	switch {
	case errors.Is(err, runtime.ErrConflict), errors.Is(err, runtime.ErrNotFound):
		w.queue.AddAfter(o.GameID, busyDelay)
		return nil
	case errors.Is(err, runtime.ErrReadOnly), errors.Is(err, runtime.ErrFenced), errors.Is(err, node.ErrUnreachable):
		return nil // the next pass retries
	case err != nil:
		return err
	}
	o.Record, o.RecordRevision = &updated.Record, updated.Revision
	return nil
}

// showOperation writes the operation in progress into the game's record, unless the operation
// has changed the record itself: those writes name it. It makes one attempt on the record as
// the cache has it, which a later write of the operation supersedes.
func (w *Worker) showOperation(ctx context.Context, gameID string, op runtime.OperationInProgress) {
	found, _, err := w.deps.Records.GetLocal(ctx, gameID)
	record := found.Record
	isOwn := err == nil && record.Region == w.cfg.Region && record.Node == w.cfg.Node
	if !isOwn || !record.LastOpAt.Before(op.StartedAt) || record.Operation != nil && record.Operation.ID == op.ID {
		return
	}
	condition := record.Condition.Clone()
	condition.NodeLostAt, condition.Operation = nil, &op
	if _, err := w.setCondition(ctx, found, 0, condition); err != nil {
		w.log.Debug("the operation in progress is not shown in the record", "game_id", gameID, "error", err)
	}
}

func (w *Worker) setCondition(ctx context.Context, seen runtime.VersionedRecord, intentRevision int64, condition runtime.Condition) (runtime.VersionedRecord, error) {
	updated, err := w.deps.Remediator.SetCondition(ctx, seen, intentRevision, condition)
	if err != nil {
		return updated, fmt.Errorf("write the condition of %q: %w", seen.Record.GameID, err)
	}
	return updated, nil
}
