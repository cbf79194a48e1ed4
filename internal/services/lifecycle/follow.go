package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

// followTimeout is how long those that wait for an operation of another node wait for a change before
// they read the stored operation, and followRetryDelay how long after an error.
const (
	followTimeout    = 2 * time.Second
	followRetryDelay = 100 * time.Millisecond
)

// errHandedOver ends an execution whose operation continues on another node.
var errHandedOver = errors.New("the operation continues on another node")

// follow reports the steps of an operation that other nodes run until its outcome is stored, and returns
// that. seen is the intent as the caller has stored it, the zero version if it has not.
func (s *Service) follow(ctx context.Context, request ports.OperationRequest, seen ports.VersionedIntent, report func(operation.Progress)) (operation.Outcome, error) {
	ctx, end, err := s.lifetime.Begin(ctx)
	if err != nil {
		return operation.Outcome{}, fmt.Errorf("%w: %w", runtime.ErrUnavailable, err)
	}
	defer end()
	id := request.Origin.OperationID
	progress := operation.Progress{OperationID: id, Kind: request.Kind, GameID: request.GameID, Step: operation.StepAccepted, At: s.now()}
	if report == nil {
		report = func(operation.Progress) {}
	}
	report(progress)
	stored := seen
	if seen.Revision == 0 {
		stored, err = s.deps.Intents.GetIntent(ctx, request.GameID)
	}
	for ; ctx.Err() == nil; stored, err = s.awaitChange(ctx, request.GameID, stored) {
		if outcome, found := stored.Intent.OutcomeOf(id); err == nil && found {
			return replayOutcome(request, outcome.Clone())
		}
		op := stored.Intent.Current
		switch {
		case err != nil && !isTransient(err) && ctx.Err() == nil:
			return operation.Outcome{}, fmt.Errorf("%w: %w", runtime.ErrOutcomeUnknown, err)
		case err != nil:
		case op != nil && op.PreemptedBy != nil && op.PreemptedBy.OperationID == id: // a stop that waits for the rollback
		case op == nil || op.ID != id:
			return operation.Outcome{}, fmt.Errorf("%w: operation %s is no longer in progress", runtime.ErrOutcomeUnknown, id)
		default:
			if text := followText(*op); op.Step != progress.Step || text != progress.Text {
				progress.Step, progress.At, progress.Text = op.Step, s.now(), text
				report(s.withRecord(ctx, progress))
			}
		}
	}
	if errors.Is(context.Cause(ctx), errClosed) {
		return operation.Outcome{}, fmt.Errorf("%w: %w; the %s continues", runtime.ErrOutcomeUnknown, errClosed, request.Kind)
	}
	return operation.Outcome{}, ctx.Err()
}

// awaitChange returns the intent once it has changed since it was seen, or as it is after followTimeout: a watch
// can stall. seen is the zero version if it could not be read.
func (s *Service) awaitChange(ctx context.Context, gameID string, seen ports.VersionedIntent) (ports.VersionedIntent, error) {
	if seen.Revision != 0 {
		waitCtx, cancel := context.WithTimeout(ctx, followTimeout)
		defer cancel()
		changed, err := s.deps.Intents.AwaitIntent(waitCtx, gameID, seen.Revision)
		if err == nil {
			return changed, nil
		}
		if waitCtx.Err() == nil {
			_ = wait.For(ctx, followRetryDelay)
		}
	} else {
		_ = wait.For(ctx, followRetryDelay)
	}
	return s.deps.Intents.GetIntent(ctx, gameID)
}

// withRecord adds the record of a game that is running to the progress, if it can be read.
func (s *Service) withRecord(ctx context.Context, progress operation.Progress) operation.Progress {
	if progress.Step != operation.StepAwaitingHealth {
		return progress
	}
	if found, err := s.readRecord(ctx, progress.GameID); err == nil && found.record != nil {
		progress.Record, progress.Revision = found.record, found.revision
	}
	return progress
}

// followText describes where an operation runs.
func followText(op operation.Operation) string {
	text := "on node " + op.NodeRef().String()
	if last := len(op.Attempts) - 1; last >= 0 {
		failed := op.Attempts[last]
		text += fmt.Sprintf(", after node %s failed: %s", failed.NodeRef(), failed.Failure.Message)
	}
	return text
}

// watch waits for the result of the active operation of a request, also if the operation continues on
// other nodes.
func (s *Service) watch(ctx context.Context, active *activeOperation, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	outcome, err := active.watch(ctx, report)
	switch {
	case outcome.OperationID != "" || ctx.Err() != nil:
		return outcome, err
	case err == nil:
		return s.follow(ctx, request, ports.VersionedIntent{}, report)
	case !errors.Is(err, errSuperseded):
		return outcome, err
	}
	// The response of the write that handed the operation over may have been lost.
	stored, readErr := s.deps.Intents.GetIntent(ctx, request.GameID)
	if readErr != nil || !s.isOnOtherNode(stored.Intent.Current, request.Origin.OperationID) {
		return outcome, err
	}
	return s.follow(ctx, request, stored, report)
}

// isOnOtherNode reports whether another node runs the operation with the id.
func (s *Service) isOnOtherNode(op *operation.Operation, id string) bool {
	return op != nil && op.ID == id && op.NodeRef() != s.self
}
