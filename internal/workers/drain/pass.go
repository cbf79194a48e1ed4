package drain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/maintenance"
	"galaxy/rtmanager/internal/services/placement"
)

// Pass moves or stops the games that are due, several at once, and stores the progress. It
// finishes the drain when the node is empty, or after its deadline. It must not run
// concurrently.
func (w *Worker) Pass(ctx context.Context, drain node.Drain) error {
	drain, err := w.begin(ctx, drain)
	if errors.Is(err, errEnded) {
		return nil
	}
	if err != nil {
		return err
	}
	steps, err := w.plan(ctx, drain)
	if err != nil {
		return err
	}
	if err := w.reportWaiting(ctx, drain, steps); err != nil {
		return ignoreEnd(err)
	}
	// An operation continues after its drain, so the deadline ends only the wait for it.
	passCtx, cancel := context.WithTimeout(ctx, drain.Deadline.Sub(w.cfg.Clock()))
	defer cancel()
	var group errgroup.Group
	group.SetLimit(w.cfg.MaxParallel)
	for _, step := range steps {
		if step.Action == node.DrainWait || !w.isDue(step.GameID) {
			continue
		}
		group.Go(func() error { return w.clear(passCtx, drain, step) })
	}
	if err := group.Wait(); err != nil && ctx.Err() == nil && passCtx.Err() == nil {
		return ignoreEnd(err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return ignoreEnd(w.finish(ctx, drain))
}

// plan returns what the drain does with each game that runs on the node. If none runs, it returns
// that for the games that wait for a restart after a crash: they would run on the drained node later.
func (w *Worker) plan(ctx context.Context, drain node.Drain) ([]node.DrainStep, error) {
	steps, err := maintenance.PlanDrain(ctx, w.deps.Records, w.deps.Intents, w.self, drain)
	if err != nil || len(steps) > 0 || w.deps.PendingRestarts == nil {
		return steps, err
	}
	restarting, err := w.deps.PendingRestarts(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the games of node %s that wait for a restart: %w", w.self, err)
	}
	return maintenance.PlanGames(ctx, w.deps.Intents, w.self, restarting, drain)
}

func ignoreEnd(err error) error {
	if errors.Is(err, errEnded) {
		return nil
	}
	return err
}

// begin stores when the drain started and when it ends, unless an earlier daemon has, and
// drops what the worker knows of another drain.
func (w *Worker) begin(ctx context.Context, drain node.Drain) (node.Drain, error) {
	w.mu.Lock()
	if w.drainID != drain.ID {
		w.drainID = drain.ID
		w.retryAt, w.failures, w.waiting = map[string]time.Time{}, map[string]map[node.Ref]int{}, map[string]bool{}
	}
	w.mu.Unlock()
	if drain.StartedAt == nil {
		w.cfg.Logger.Info("drain started", "drain_id", drain.ID, "actor", drain.By, "reason", drain.Reason, "stop_only", drain.StopOnly)
	}
	return w.update(ctx, drain.ID, func(d *node.Drain) {
		if d.StartedAt == nil {
			now := w.cfg.Clock().UTC()
			deadline := now.Add(time.Duration(d.TimeoutMS) * time.Millisecond)
			d.StartedAt, d.Deadline = &now, &deadline
		}
	})
}

// reportWaiting stores how many games remain, and an event for each that has to wait and was
// not reported yet.
func (w *Worker) reportWaiting(ctx context.Context, drain node.Drain, steps []node.DrainStep) error {
	w.mu.Lock()
	reported := maps.Clone(w.waiting)
	w.mu.Unlock()
	waiting := map[string]bool{}
	_, err := w.update(ctx, drain.ID, func(d *node.Drain) {
		clear(waiting)
		for _, step := range steps {
			if step.Action != node.DrainWait {
				continue
			}
			waiting[step.GameID] = true
			if !reported[step.GameID] {
				d.AddEvent(node.DrainEvent{
					At: w.cfg.Clock().UTC(), GameID: step.GameID, Result: node.DrainWaiting, Text: "its policy for lost nodes does not allow a move",
				})
			}
		}
		d.Waiting, d.Remaining = len(waiting), len(steps)
	})
	if err == nil {
		w.mu.Lock()
		w.waiting = waiting
		w.mu.Unlock()
	}
	return err
}

// isDue reports whether the game is to be moved or stopped now.
func (w *Worker) isDue(gameID string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.cfg.Clock().Before(w.retryAt[gameID])
}

// clear moves or stops one game, and stores the result.
func (w *Worker) clear(ctx context.Context, drain node.Drain, step node.DrainStep) error {
	if ctx.Err() != nil || !w.isActive(drain.ID) {
		return nil //nolint:nilerr // the drain has ended
	}
	event := node.DrainEvent{GameID: step.GameID, Result: node.DrainStopped}
	target := node.Ref{}
	var err error
	if step.Action == node.DrainStop {
		err = w.execute(ctx, drain, ports.OperationRequest{GameID: step.GameID, Kind: operation.KindStop})
	} else {
		target, err = w.move(ctx, drain, step.GameID)
		event.Result, event.Text = node.DrainMoved, "to node "+target.String()
	}
	switch {
	case err == nil:
		w.cfg.Logger.Info("game drained", "game_id", step.GameID, "result", event.Result, "to", target.String())
	case ctx.Err() != nil, errors.Is(err, operation.ErrBusy), errors.Is(err, operation.ErrRejected), errors.Is(err, runtime.ErrNotFound):
		return nil //nolint:nilerr // the game is being changed, or the drain ends; the next pass decides
	default:
		w.cfg.Logger.Warn("game could not be drained; it is retried", "game_id", step.GameID, "to", target.String(), "error", err)
		event.Result, event.Text = node.DrainFailed, err.Error()
	}
	w.setFailed(step.GameID, target, err != nil)
	event.At = w.cfg.Clock().UTC()
	failed := w.countFailed()
	_, err = w.update(context.WithoutCancel(ctx), drain.ID, func(d *node.Drain) {
		isStored := func(e node.DrainEvent) bool { return e.GameID == event.GameID && e.At.Equal(event.At) }
		if slices.ContainsFunc(d.Events, isStored) {
			return // the response to an earlier try was lost
		}
		d.AddEvent(event)
		d.Failed = failed
		switch event.Result {
		case node.DrainMoved:
			d.MoveCount++
		case node.DrainStopped:
			d.Stopped++
		case node.DrainWaiting, node.DrainFailed:
		}
		if event.Result != node.DrainFailed {
			d.Remaining = max(d.Remaining-1, 0)
		}
	})
	return err
}

// isActive reports whether the drain is in progress, as far as this daemon knows.
func (w *Worker) isActive(id string) bool {
	active := w.activeDrain()
	return active != nil && active.ID == id
}

func (w *Worker) setFailed(gameID string, target node.Ref, hasFailed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !hasFailed {
		delete(w.retryAt, gameID)
		return
	}
	w.retryAt[gameID] = w.cfg.Clock().Add(w.cfg.RetryAfter)
	if w.failures[gameID] == nil {
		w.failures[gameID] = map[node.Ref]int{}
	}
	w.failures[gameID][target]++
}

func (w *Worker) countFailed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.retryAt)
}

// move moves the game to the best other node, of its region or of those in its spec, and
// returns that node.
func (w *Worker) move(ctx context.Context, drain node.Drain, gameID string) (node.Ref, error) {
	intent, err := w.deps.Intents.GetIntent(ctx, gameID)
	if err != nil {
		return node.Ref{}, err
	}
	nodes, err := w.deps.Nodes.Nodes(ctx)
	if err != nil {
		return node.Ref{}, err
	}
	w.mu.Lock()
	failures := maps.Clone(w.failures[gameID])
	w.mu.Unlock()
	operationID := operation.NewID()
	reasons := ""
	for _, region := range append([]string{w.cfg.Region}, intent.Intent.Spec.Regions...) {
		selection, err := w.deps.Placement.Select(ctx, placement.Request{
			GameID: gameID, OperationID: operationID, Spec: intent.Intent.Spec, Labels: intent.Intent.Labels, Region: region, Nodes: nodes, Failures: failures,
			Excluded: map[node.Ref]string{w.self: "is drained"},
		})
		if err != nil {
			return node.Ref{}, err
		}
		for _, n := range selection.Nodes {
			if n.Node != w.self {
				reasons += fmt.Sprintf("; node %s %s", n.Node, n.Reason)
			}
		}
		target := selection.Selected
		if target.IsZero() {
			continue
		}
		err = w.execute(ctx, drain, ports.OperationRequest{
			GameID: gameID, Kind: operation.KindMove, Target: &target, Origin: ports.Origin{OperationID: operationID},
		})
		if selection.IsReserved { // from now on the record counts, or nothing
			_ = w.deps.Placement.Release(context.WithoutCancel(ctx), target, gameID, operationID) // otherwise it expires
		}
		return target, err
	}
	return node.Ref{}, fmt.Errorf("no other node can run the game%s", reasons)
}

// execute runs the operation for the drain.
func (w *Worker) execute(ctx context.Context, drain node.Drain, request ports.OperationRequest) error {
	reason := "drain of node " + w.self.String()
	if detail := drain.String(); detail != "" {
		reason += ": " + detail
	}
	request.Origin.Actor, request.Origin.Reason = "drain", ports.TruncateReason(reason)
	_, err := w.deps.Executor.Execute(ctx, request, nil)
	return err
}

// finish stores the end of the drain if no game remains, or if the deadline has passed.
func (w *Worker) finish(ctx context.Context, drain node.Drain) error {
	steps, err := w.plan(ctx, drain)
	if err != nil {
		return err
	}
	starting, err := w.deps.Intents.GamesWithActiveOperation(ctx, w.cfg.Region, w.cfg.Node)
	if err != nil {
		return err
	}
	games := map[string]bool{}
	for _, step := range steps {
		games[step.GameID] = true
	}
	for _, gameID := range starting {
		games[gameID] = true
	}
	now := w.cfg.Clock().UTC()
	if len(games) > 0 && now.Before(*drain.Deadline) {
		return nil
	}
	_, err = w.update(ctx, drain.ID, func(d *node.Drain) { d.Remaining, d.FinishedAt = len(games), &now })
	if err == nil {
		w.cfg.Logger.Info("drain finished", "drain_id", drain.ID, "remaining", len(games))
	}
	return err
}
