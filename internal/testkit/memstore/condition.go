package memstore

import (
	"context"
	"fmt"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// SetCondition implements ports.ConditionWriter.
func (s *Store) SetCondition(ctx context.Context, input ports.ConditionInput) (runtime.VersionedRecord, error) {
	if err := input.Validate(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	if err := s.checkFence(input.GameID, input.Fence); err != nil {
		return runtime.VersionedRecord{}, err
	}
	current := s.currentVersion(input.GameID)
	if current == nil {
		return runtime.VersionedRecord{}, notFoundError(input.GameID)
	}
	if err := compareRevision(input.GameID, current, &input.IfRevision); err != nil {
		return runtime.VersionedRecord{}, err
	}
	if current.record.Condition.Equal(input.Condition) {
		return current.toVersionedRecord(), nil
	}
	if actual := s.intents[storeKey(input.GameID)].Revision; input.IfIntentRevision != 0 && actual != input.IfIntentRevision {
		return runtime.VersionedRecord{}, fmt.Errorf("the intent: %w", runtime.NewRevisionConflict(input.GameID, input.IfIntentRevision, runtime.VersionedRecord{Revision: actual}))
	}
	after := current.record.WithCondition(input.Condition).InUTC()
	revision := s.appendChange(change{gameID: input.GameID, kind: ports.EventUpserted, before: current.record, after: &after})
	return runtime.VersionedRecord{Record: after.Clone(), Revision: revision}, nil
}
