package reconcile

import (
	"context"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// observeLocal observes a game by what this daemon knows of it without a request to the store. It
// returns false if something is not known. The stored state may be newer.
func (w *Worker) observeLocal(ctx context.Context, gameID string) (o drift.Observation, isKnown bool) {
	intent, found, isKnown := w.deps.Intents.GetIntentAndRecordLocal(gameID)
	if !isKnown {
		return o, false
	}
	o = drift.Observation{GameID: gameID, Region: w.cfg.Region, Node: w.cfg.Node}
	w.addStored(ctx, &o, intent, found)
	return o, true
}

// reconcileLocally handles a game without a read of the store: most wake-ups follow writes of this
// daemon and leave nothing to do. It returns false if the stored state must be read, because
// something is not known or there is something to do.
//
// What is known may be outdated. So the only action is a write of the condition that compares
// record and intent, and the next pass observes what this has missed.
func (w *Worker) reconcileLocally(ctx context.Context, gameID string) (requeueAfter time.Duration, isDone bool) {
	o, isKnown := w.observeLocal(ctx, gameID)
	switch {
	case !isKnown:
		return 0, false
	case o.OperationActive:
		return busyDelay, true
	case o.EngineError != nil || needsWriter(o) || w.hasFindingOf(o.GameID, o.IntentRevision):
		return 0, false
	}
	findings := w.detect(o)
	if !isOnOtherNode(o) && len(findings) > 0 {
		return 0, false
	}
	for _, f := range w.tracker.Record(gameID, findings, o.Now) {
		delay := w.stabilizationDelay(o, f)
		if delay <= 0 {
			return 0, false
		}
		requeueAfter = max(requeueAfter, delay)
	}
	if !hasConditionDrift(o, findings) {
		return requeueAfter, true
	}
	condition, _ := o.Condition(findings)
	_, err := w.setCondition(ctx, runtime.VersionedRecord{Record: *o.Record, Revision: o.RecordRevision}, o.IntentRevision, condition)
	return requeueAfter, err == nil
}

// hasFindingOf reports whether the game has a finding that was observed with the intent or a later
// one. What this daemon knows does not refute it. The wait for another node is no such finding.
func (w *Worker) hasFindingOf(gameID string, intentRevision int64) bool {
	return slices.ContainsFunc(w.tracker.ForGame(gameID), func(f drift.Finding) bool {
		return f.Kind != drift.KindInterrupted && f.IntentRevision >= intentRevision
	})
}

// isOnOtherNode reports whether another node has the operation in progress.
func isOnOtherNode(o drift.Observation) bool {
	op := o.Intent.Current
	return op != nil && op.NodeRef() != (node.Ref{Region: o.Region, Name: o.Node})
}

// observeForAction observes a game whose finding is in a queue of slow actions. It does not read the
// store if what this daemon knows has such a finding: the action compares or reads the revisions of
// its finding.
func (w *Worker) observeForAction(ctx context.Context, gameID string, queue workQueue) (drift.Observation, error) {
	o, isKnown := w.observeLocal(ctx, gameID)
	if isKnown && !o.OperationActive && o.EngineError == nil && w.addWriter(ctx, &o) == nil {
		isPending := func(f drift.Finding) bool { return w.queueFor(o, f) == queue }
		if slices.ContainsFunc(w.detect(o), isPending) {
			return o, nil
		}
	}
	return w.observe(ctx, gameID)
}
