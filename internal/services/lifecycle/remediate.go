package lifecycle

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// reconcileActor is the actor of automatic remediation.
const reconcileActor = "reconcile"

// Remediate carries out the action of the finding. It returns when that is done: for a
// restart and an interrupted operation, when the operation has ended. The actor is the
// user that applied the finding, for the ledger; empty means reconcileActor.
//
// It returns a *runtime.ConflictError on the revision, and changes nothing, if record or
// intent have changed since the finding was observed; operation.ErrBusy if an operation
// on the game has started; and runtime.ErrInvalid for a finding without an action.
func (s *Service) Remediate(ctx context.Context, f drift.Finding, actor string) error {
	origin := ports.Origin{
		Actor: cmp.Or(actor, reconcileActor), Reason: ports.TruncateReason(string(f.Kind) + ": " + f.Evidence),
		OperationID: drift.OperationIDPrefix + operation.NewID(),
	}
	switch f.Action {
	case drift.ActionMarkStopped, drift.ActionMarkRemoved, drift.ActionMarkRunning, drift.ActionCorrectRecord, drift.ActionAdopt:
		return s.withGameLock(f, func() error { return s.remediateRecord(ctx, f, origin) })
	case drift.ActionRemoveContainer:
		return s.withGameLock(f, func() error { return s.removeStale(ctx, f) })
	case drift.ActionRestart:
		return s.restartCrashed(ctx, f, origin)
	case drift.ActionCompleteOperation:
		return s.completeOperation(ctx, f)
	default:
		return &runtime.InvalidError{Field: "action", Reason: fmt.Sprintf("%q cannot be carried out by this node", f.Action)}
	}
}

// withGameLock runs fn while no operation on the game can start on this node. Without the
// lock, fn could undo a restart that completes in the meantime and leaves record and
// container as the finding describes them.
func (s *Service) withGameLock(f drift.Finding, fn func() error) error {
	lock, holder, err := s.lockGame(f.GameID)
	if err != nil {
		return err
	}
	if holder != nil {
		return fmt.Errorf("remediate %s: %w", f.ID, operation.ErrBusy)
	}
	defer s.unlockGame(lock)
	return fn()
}

// completeOperation resumes an interrupted operation of this node, or reclaims the game
// from an operation that was assigned to another node.
func (s *Service) completeOperation(ctx context.Context, f drift.Finding) error {
	intent, found, isKnown := s.deps.Intents.GetIntentAndRecordLocal(f.GameID)
	if op := intent.Intent.Current; isKnown && intent.Revision == f.IntentRevision && found.Revision == f.RecordRevision && op != nil && op.NodeRef() == s.self {
		_, err := s.resume(ctx, f.GameID, &intent) // the write that claims the operation compares the intent
		return err
	}
	record, intent, err := s.loadAtRevisions(ctx, f)
	if err != nil {
		return err
	}
	if op := intent.Intent.Current; op != nil && op.NodeRef() != s.self {
		return s.withGameLock(f, func() error { return s.reclaimGame(ctx, intent, record) })
	}
	_, err = s.resume(ctx, f.GameID, &intent)
	return err
}

// reclaimGame abandons the reschedule of a game of this node to another node, which was
// requested while this node was absent. It returns operation.ErrBusy if the other node is
// present: that node is about to start the game. A move for which this node may have stopped
// the game is rolled back here in place of that. If the target may run the game, that waits for the grace period and
// needs the policy for lost nodes; until then, the error is operation.ErrBusy.
func (s *Service) reclaimGame(ctx context.Context, stored ports.VersionedIntent, record *runtime.RuntimeRecord) error {
	fence, err := s.currentFence()
	if err != nil {
		return err
	}
	next, err := s.ensureNoActiveOperation(ctx, stored.Intent, record)
	if err != nil {
		return err
	}
	if op := stored.Intent.Current; op != nil && op.Kind == operation.KindMove && op.SourceStopping {
		if !s.canTakeBack(*op) {
			return busyError(stored.Intent.GameID, op)
		}
		next = s.takeBack(stored.Intent) // this node may have stopped the game
	}
	_, err = s.putIntent(ctx, stored, next, fence)
	if op := stored.Intent.Current; op != nil && err == nil {
		s.lostTargets.drop(op.ID)
	}
	return err
}

// loadAtRevisions returns record and intent, and a revision conflict if one of them has
// changed since the finding was observed.
func (s *Service) loadAtRevisions(ctx context.Context, f drift.Finding) (*runtime.RuntimeRecord, ports.VersionedIntent, error) {
	intent, current, err := s.readGame(ctx, f.GameID)
	switch {
	case err != nil:
		return nil, intent, err
	case current.revision != f.RecordRevision:
		return nil, intent, recordConflict(f, current)
	case intent.Revision != f.IntentRevision:
		return nil, intent, intentConflict(f, intent)
	}
	return current.record, intent, nil
}

// recordConflict is the error of a finding whose record has changed.
func recordConflict(f drift.Finding, current recordState) error {
	return runtime.NewRevisionConflict(f.GameID, f.RecordRevision, current.versioned())
}

// intentConflict is the error of a finding whose intent has changed.
func intentConflict(f drift.Finding, current ports.VersionedIntent) error {
	return runtime.NewRevisionConflict(f.GameID, f.IntentRevision, runtime.VersionedRecord{Revision: current.Revision})
}

// restartCrashed starts a crashed game, or restarts an unhealthy one. The write that
// accepts the operation also counts the restart. If the game ended with its engine, it
// counts none, nor those that failed while the engine was shutting down. It fails if record or intent have changed, for example by a stop request.
func (s *Service) restartCrashed(ctx context.Context, f drift.Finding, origin ports.Origin) error {
	record, stored, err := s.loadAtRevisions(ctx, f)
	if err != nil {
		return err
	}
	options := executeOptions{finding: &f, automatic: origin.Actor == reconcileActor}
	reason := "start of a game that ended with its engine: " + f.Evidence
	if f.Kind == drift.KindNotRunning {
		options.restarts = operation.RestartsUntil(stored.Intent.Restarts, record.StoppedAt)
	} else {
		policy := stored.Intent.Spec.WithDefaults().Crash
		restarts := operation.RestartsWithin(stored.Intent.Restarts, time.Duration(policy.Window), s.now())
		options.restarts = slices.Insert(restarts, 0, s.now())
		reason = fmt.Sprintf("restart %d of %d within %s: %s", len(options.restarts), policy.Attempts, time.Duration(policy.Window), f.Evidence)
	}
	request := ports.OperationRequest{GameID: f.GameID, Kind: operation.KindStart, Origin: ports.Origin{
		Actor: origin.Actor, Reason: ports.TruncateReason(reason),
	}}
	if f.Kind == drift.KindUnhealthy {
		request.Kind = operation.KindRestart
	}
	if err := validateRequest(&request); err != nil {
		return err
	}
	_, err = s.execute(ctx, request, nil, options)
	return err
}
