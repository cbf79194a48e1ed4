package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// remediateUnlessBraked carries out the action of the finding unless the brake blocks it,
// and reports whether it did. The release of the brake triggers a pass, which enqueues
// the blocked games.
func (w *Worker) remediateUnlessBraked(ctx context.Context, f drift.Finding) (done bool, err error) {
	if isDestructive(f) && !w.brake.admitRemoval(f.GameID) {
		return false, nil
	}
	return w.remediate(ctx, f)
}

// remediate carries out the action of the finding, and reports whether it did. It requeues
// the game if the game has changed since the finding was observed. It also requeues the
// game if a start exceeds StartWait: the start continues in the background, and the worker
// takes the next game.
func (w *Worker) remediate(ctx context.Context, f drift.Finding) (done bool, err error) {
	actionCtx := ctx
	if f.Action == drift.ActionRestart || f.Action == drift.ActionCompleteOperation {
		var cancel context.CancelFunc
		actionCtx, cancel = context.WithTimeout(ctx, w.cfg.StartWait)
		defer cancel()
	}
	err = w.deps.Remediator.Remediate(actionCtx, f, "")
	switch {
	case err != nil && actionCtx.Err() != nil && ctx.Err() == nil:
		w.trackBackgroundStart(f.GameID, true)
		w.queue.AddAfter(f.GameID, busyDelay)
		return false, nil
	case err == nil:
		w.log.Info("drift remediated", "game_id", f.GameID, "kind", f.Kind, "action", f.Action, "container_id", f.ContainerID, "evidence", f.Evidence)
		return true, nil
	case errors.Is(err, operation.ErrBusy) && f.Kind == drift.KindInterrupted:
		w.queue.AddAfter(f.GameID, otherNodeDelay)
		return false, nil
	case errors.Is(err, runtime.ErrConflict), errors.Is(err, operation.ErrBusy):
		w.queue.AddAfter(f.GameID, busyDelay)
		return false, nil
	default:
		return false, fmt.Errorf("remediate %s: %w", f.ID, err)
	}
}

// isDestructive reports whether the action removes a record because of an absence, or a
// container that is not proven obsolete.
func isDestructive(f drift.Finding) bool {
	return !f.Proven && (f.Action == drift.ActionMarkRemoved || f.Action == drift.ActionRemoveContainer)
}

// stabilizationDelay returns how much longer the finding must be observed before its
// action is carried out.
func (w *Worker) stabilizationDelay(o drift.Observation, f drift.Finding) time.Duration {
	switch {
	case f.Kind == drift.KindOrphan, f.Kind == drift.KindStale && o.Record == nil: // an operator may be about to start it
		return remainingDelay(o, f, w.cfg.AdoptAfter, w.cfg.AdoptObservations)
	case f.Kind == drift.KindCrashed, f.Kind == drift.KindUnhealthy:
		return remainingDelay(o, f, time.Duration(o.Intent.Spec.WithDefaults().Crash.Delay), 1)
	case f.Kind == drift.KindInterrupted && isOnOtherNode(o):
		return remainingDelay(o, f, otherNodeDelay, 1)
	case f.Kind == drift.KindNotRunning:
		return remainingDelay(o, f, o.RestoreDelay(), 1)
	default:
		return 0
	}
}

// remainingDelay returns how much longer a finding must be observed, until it has existed for
// the duration and in that many observations.
func remainingDelay(o drift.Observation, f drift.Finding, duration time.Duration, observations int) time.Duration {
	age := o.Now.Sub(f.FirstSeen)
	switch {
	case age >= duration && f.Observations >= observations:
		return 0
	case observations > 1:
		return max(duration/time.Duration(observations), time.Millisecond)
	default:
		return duration - age
	}
}

// queueFor returns the queue of the finding's slow action, nil for an action that is a single write.
func (w *Worker) queueFor(o drift.Observation, f drift.Finding) workQueue {
	switch f.Action {
	case drift.ActionCompleteOperation:
		if isHandedOver(o) {
			return w.handovers
		}
		return w.starts
	case drift.ActionRestart:
		return w.starts
	case drift.ActionRemoveContainer:
		return w.removals
	default:
		return nil
	}
}

// isHandedOver reports whether this node has a move that another node handed over to it. The game is down, or soon
// will be, until this node completes its part. So it must not wait for start workers, which pull images and
// wait for the health of other games. The node that requested the move limits how many there are.
func isHandedOver(o drift.Observation) bool {
	op := o.Intent.Current
	return op != nil && op.Kind == operation.KindMove && op.SourceStopping && !isOnOtherNode(o)
}

// newSlowHandler returns the handler of a queue of slow actions. It observes the game once
// more, and carries out the actions that belong to the queue. A failed start is not an
// error here: the crash policy decides about further attempts.
func (w *Worker) newSlowHandler(queue workQueue) handler {
	return func(ctx context.Context, gameID string) (time.Duration, error) {
		if queue == w.starts && w.isAtStartLimit() {
			return busyDelay, nil
		}
		o, err := w.observeForAction(ctx, gameID, queue)
		if err != nil || o.OperationActive {
			return 0, err
		}
		w.recheckHealth(ctx, &o)
		var faults []error
		for _, f := range w.tracker.Record(gameID, w.detect(o), o.Now) {
			if f.BlockedBy != "" || w.queueFor(o, f) != queue || w.stabilizationDelay(o, f) > 0 {
				continue
			}
			done, err := w.remediateUnlessBraked(ctx, f)
			startFailed := errors.Is(err, operation.ErrStartFailed) || errors.Is(err, container.ErrNoImage) || errors.Is(err, container.ErrRegistryUnreachable)
			if done || startFailed {
				w.queue.Add(gameID)
			}
			if !startFailed { // continue with the game's other containers
				faults = append(faults, err)
			}
		}
		return 0, errors.Join(faults...)
	}
}

// recheckHealth probes an unhealthy game once more before it is restarted. The earlier
// results may be of a time in which the engine was away and the game was not.
func (w *Worker) recheckHealth(ctx context.Context, o *drift.Observation) {
	if o.Unhealthy == "" || o.Record == nil || o.EngineError != nil {
		return
	}
	w.deps.Health.Recheck(ctx, *o.Record, o.Intent.Spec)
	o.Unhealthy = w.deps.Health.Unhealthy(*o.Record)
}

// trackBackgroundStart records that a start of the game continues in the background, or
// no longer does.
func (w *Worker) trackBackgroundStart(gameID string, isActive bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if isActive {
		w.backgroundStarts[gameID] = true
	} else {
		delete(w.backgroundStarts, gameID)
	}
}

// isAtStartLimit reports whether MaxBackgroundStarts prevents another start.
func (w *Worker) isAtStartLimit() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.backgroundStarts) >= w.cfg.MaxBackgroundStarts
}
