package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/runtime"
)

const (
	// engineTimeout bounds one request to the engine: an engine that hangs must not block
	// the worker.
	engineTimeout = 15 * time.Second
	// busyDelay is when to requeue a game on which an operation is in progress.
	busyDelay = 500 * time.Millisecond
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
	o, err := w.observe(ctx, gameID)
	if err != nil {
		return 0, err
	}
	if o.OperationActive {
		return busyDelay, nil
	}
	faults := []error{w.syncCondition(ctx, &o, w.detect(o))}
	for _, f := range w.tracker.Record(gameID, w.detect(o), o.Now) {
		delay, err := w.handleFinding(ctx, o, f)
		faults = append(faults, err)
		if delay > 0 && (requeueAfter == 0 || delay < requeueAfter) {
			requeueAfter = delay
		}
	}
	return requeueAfter, errors.Join(faults...)
}

// observe reads the state of one game. It reads the intent first and the engine last: an
// operation that starts in between changes the revision of the intent, so that actions
// which depend on this observation are rejected.
func (w *Worker) observe(ctx context.Context, gameID string) (drift.Observation, error) {
	o := drift.Observation{GameID: gameID, Region: w.cfg.Region, Node: w.cfg.Node}
	intent, err := w.deps.Intents.GetIntent(ctx, gameID)
	if err != nil {
		return o, fmt.Errorf("read the intent of %q: %w", gameID, err)
	}
	o.Intent, o.IntentRevision = intent.Intent, intent.Revision
	found, err := w.deps.Records.GetVersioned(ctx, gameID)
	switch {
	case err == nil:
		o.Record, o.RecordRevision = &found.Record, found.Revision
	case !errors.Is(err, runtime.ErrNotFound):
		return o, fmt.Errorf("read the record of %q: %w", gameID, err)
	}
	engineCtx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	o.Containers, o.EngineError = w.deps.Engine.List(engineCtx, gameID)
	w.addLocalState(&o)
	return o, w.addWriter(ctx, &o)
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
	if slowQueue := w.queueFor(f.Action); slowQueue != nil {
		if slowQueue.NumRequeues(f.GameID) == 0 { // otherwise the next attempt waits for its backoff
			slowQueue.Add(f.GameID)
		}
		return 0, nil
	}
	_, err = w.remediateUnlessBraked(ctx, f)
	return 0, err
}
