package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

const (
	// engineTimeout bounds one request to the engine: an engine that hangs must not block
	// the worker.
	engineTimeout = 15 * time.Second
	// busyDelay is when to requeue a game on which an operation is in progress.
	busyDelay = 500 * time.Millisecond
	// otherNodeDelay is how long another node has for an operation on a game of this node before this
	// node checks that the other one is present, and how often it does so.
	otherNodeDelay = 2 * time.Second
)

// reconcileGame observes one game and handles its findings. It returns when to requeue
// the game; 0 means not before the next event.
func (w *Worker) reconcileGame(ctx context.Context, gameID string) (requeueAfter time.Duration, err error) {
	if op, isAccepted := w.deps.Remediator.ActiveOperation(gameID); isAccepted {
		w.showOperation(ctx, gameID, op)
		return busyDelay, nil
	}
	if w.deps.Remediator.HasActive(gameID) {
		return busyDelay, nil
	}
	w.trackBackgroundStart(gameID, false)
	if requeueAfter, isDone := w.reconcileLocally(ctx, gameID); isDone {
		return requeueAfter, nil
	}
	o, err := w.observe(ctx, gameID)
	if err != nil {
		return 0, err
	}
	if o.OperationActive {
		return busyDelay, nil
	}
	var faults []error
	if !w.isAboutToStart(o) {
		faults = append(faults, w.syncCondition(ctx, &o, w.detect(o)))
	}
	for _, f := range w.tracker.Record(gameID, w.detect(o), o.Now) {
		delay, err := w.handleFinding(ctx, o, f)
		faults = append(faults, err)
		if delay > 0 && (requeueAfter == 0 || delay < requeueAfter) {
			requeueAfter = delay
		}
	}
	return requeueAfter, errors.Join(faults...)
}

// isAboutToStart reports whether another node has just assigned an operation to this node. The
// record names it later, unless it ends before: see lifecycle.Service.ActiveOperation.
func (w *Worker) isAboutToStart(o drift.Observation) bool {
	op := o.Intent.Current
	if op == nil || op.Session != 0 || isOnOtherNode(o) {
		return false
	}
	return !slices.ContainsFunc(w.tracker.ForGame(o.GameID), func(f drift.Finding) bool { return f.IntentRevision == o.IntentRevision })
}

// observe reads the state of one game. It reads intent and record first and the engine last: an
// operation that starts in between changes the revision of the intent, so that actions
// which depend on this observation are rejected.
func (w *Worker) observe(ctx context.Context, gameID string) (drift.Observation, error) {
	o := drift.Observation{GameID: gameID, Region: w.cfg.Region, Node: w.cfg.Node}
	intent, found, err := w.deps.Intents.GetIntentAndRecord(ctx, gameID)
	if err != nil {
		return o, fmt.Errorf("read intent and record of %q: %w", gameID, err)
	}
	w.addStored(ctx, &o, intent, found)
	return o, w.addWriter(ctx, &o)
}

// addStored adds intent and record to an observation, and then what the engine and this daemon
// have.
func (w *Worker) addStored(ctx context.Context, o *drift.Observation, intent ports.VersionedIntent, found runtime.VersionedRecord) {
	o.Intent, o.IntentRevision = intent.Intent, intent.Revision
	if found.Revision != 0 {
		o.Record, o.RecordRevision = &found.Record, found.Revision
	}
	engineCtx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	o.Containers, o.EngineError = w.deps.Engine.List(engineCtx, o.GameID)
	w.addLocalState(o)
}

// addLocalState adds the part of an observation that only this daemon has.
func (w *Worker) addLocalState(o *drift.Observation) {
	if o.Record != nil {
		if w.deps.Health != nil {
			o.Unhealthy, o.Health = w.deps.Health.Unhealthy(*o.Record), w.deps.Health.Health(*o.Record)
		}
		o.RemovalReported = w.deps.Queue.hasReportedRemoval(o.Record.CurrentContainerID)
	}
	o.RestoreDisabled = w.cfg.RestoreDisabled
	o.OperationActive = w.deps.Remediator.HasActive(o.GameID)
	o.Now = w.cfg.Clock()
	o.IsEngineAway = o.EngineError != nil && w.absence.isAway(o.Now)
}

// handleFinding carries out the action of one finding, or returns when it may be carried
// out.
func (w *Worker) handleFinding(ctx context.Context, o drift.Observation, f drift.Finding) (requeueAfter time.Duration, err error) {
	if f.Action == drift.ActionNone || f.BlockedBy != "" {
		return 0, nil
	}
	if delay := w.stabilizationDelay(o, f); delay > 0 {
		return delay, nil
	}
	if delay, err := w.guardEmptyEngine(ctx, o, f); delay > 0 || err != nil {
		return delay, err
	}
	if slowQueue := w.queueFor(o, f); slowQueue != nil {
		if slowQueue.NumRequeues(f.GameID) == 0 { // otherwise the next attempt waits for its backoff
			slowQueue.Add(f.GameID)
		}
		return 0, nil
	}
	_, err = w.remediateUnlessBraked(ctx, f)
	return 0, err
}
