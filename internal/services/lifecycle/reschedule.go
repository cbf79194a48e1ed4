package lifecycle

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Reschedule gives a game, whose node is gone, to another node, which takes it up as
// an operation left behind there. Who is there is asked once more: a node that has
// come back keeps its games, and one that has gone gets none. It writes under the fence of whoever
// leads, and pinned to the revision at which the record was seen: a leader that
// was replaced, or has seen an old record, changes nothing. Errors: runtime.ErrFenced;
// runtime.ErrConflict where the record has moved on, or a node has come or gone;
// runtime.ErrBusy where an operation of a node that is present is in progress.
func (s *Service) Reschedule(ctx context.Context, seen runtime.VersionedRecord, to node.Node, fence node.Fence) error {
	gameID := seen.Record.GameID
	found, err := s.Intents.GetIntent(ctx, gameID)
	if err != nil {
		return fmt.Errorf("read the intent of %q: %w", gameID, err)
	}
	if err := s.ensureNoActiveOperation(ctx, &found.Intent); err != nil {
		return err
	}
	record, revision, err := s.findRecord(ctx, gameID)
	if err != nil {
		return err
	}
	if record == nil || revision != seen.Revision {
		return &runtime.ConflictError{
			GameID: gameID, Precondition: runtime.PreconditionRevision,
			Expected: strconv.FormatInt(seen.Revision, 10), Actual: strconv.FormatInt(revision, 10), Revision: revision,
		}
	}
	if err := s.stillLost(ctx, *record, to); err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an operation id: %w", err)
	}
	now := gameState{record: record, intent: found.Intent}
	at := s.now()
	op := operation.Operation{
		ID: "op_" + id.String(), Kind: operation.KindReschedule, Region: to.Region, Node: to.Name,
		Actor: "nodes", Automatic: true, Reason: fmt.Sprintf("node %s/%s is gone", record.Region, record.Node),
		StartedAt: at, StepAt: at, Step: operation.StepAccepted,
		Spec: now.spec(), Generation: now.nextGeneration(), PreviousRecord: record,
	}
	op.Deadline = at.Add(s.operationTimeout(op))
	next := found.Intent.Clone()
	next.GameID, next.Current, next.DesiredStatus = gameID, &op, runtime.StatusRunning
	if _, err := s.Intents.PutIntent(ctx, next, found.IntentVersion, fence); err != nil {
		return fmt.Errorf("give %q to node %s/%s: %w", gameID, to.Region, to.Name, err)
	}
	s.log.Warn("game is given to another node", "game_id", gameID, "from", record.Region+"/"+record.Node, "to", to.Region+"/"+to.Name, "operation_id", op.ID)
	return nil
}

// stillLost is nil if the record's node is not there and the one to give it to is.
func (s *Service) stillLost(ctx context.Context, record runtime.RuntimeRecord, to node.Node) error {
	there, err := s.whoIsThere(ctx)
	if err != nil {
		return err
	}
	switch {
	case there(record.Region, record.Node):
		return fmt.Errorf("%w: node %s/%s is back", runtime.ErrConflict, record.Region, record.Node)
	case !there(to.Region, to.Name):
		return fmt.Errorf("%w: node %s/%s has gone", runtime.ErrConflict, to.Region, to.Name)
	}
	return nil
}
