package reconcile

import (
	"context"
	"errors"
	"slices"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Report makes a pass and returns the findings of this node, and its brake.
func (w *Worker) Report(ctx context.Context) (drift.Report, error) {
	report := drift.Report{Findings: []drift.Finding{}, Brakes: []drift.Brake{}, Missing: []drift.UnreachableNode{}}
	result, err := w.Pass(ctx)
	if err != nil {
		return report, err
	}
	engaged := w.brake.state()
	if engaged != nil {
		report.Brakes = append(report.Brakes, *engaged)
	}
	for _, f := range w.tracker.All() {
		switch {
		case engaged != nil && isDestructive(f):
			f.BlockedBy = brakeReason(engaged)
		case result.EngineEmpty && f.Action == drift.ActionMarkRemoved && !f.Proven && !w.brake.isRecentlyReleased():
			f.BlockedBy = emptyEngineReason
		}
		report.Findings = append(report.Findings, f)
	}
	return report, nil
}

func brakeReason(engaged *drift.Brake) string { return "the brake is engaged: " + engaged.Reason }

// PendingRestarts makes a pass and returns the games of this node that are to be restarted, now or
// after a delay, ordered by game. A pause does not matter: the games are restarted after it.
func (w *Worker) PendingRestarts(ctx context.Context) ([]string, error) {
	if _, err := w.Pass(ctx); err != nil {
		return nil, err
	}
	var gameIDs []string
	for _, f := range w.tracker.All() {
		if f.Action == drift.ActionRestart {
			gameIDs = append(gameIDs, f.GameID)
		}
	}
	return slices.Compact(gameIDs), nil
}

// Findings returns the latest findings of the game.
func (w *Worker) Findings(gameID string) []drift.Finding { return w.tracker.ForGame(gameID) }

// AllFindings returns the latest findings of all games.
func (w *Worker) AllFindings() []drift.Finding { return w.tracker.All() }

// Apply carries out the actions of reported findings, one after the other and without
// stabilization delay: the actor has confirmed them. The brake still blocks destructive
// actions. It returns one result per finding, in the same order.
func (w *Worker) Apply(ctx context.Context, findings []drift.Finding, actor string) []drift.ApplyResult {
	results := make([]drift.ApplyResult, len(findings))
	for i, f := range findings {
		results[i] = drift.ApplyResult{ID: f.ID, GameID: f.GameID, Region: f.Region, Node: f.Node, Action: f.Action}
		results[i].Status, results[i].Reason = w.apply(ctx, f, actor)
		w.deps.Queue.Enqueue(f.GameID)
	}
	return results
}

func (w *Worker) apply(ctx context.Context, f drift.Finding, actor string) (drift.ApplyStatus, string) {
	if f.Action == drift.ActionNone {
		return drift.ApplyBlocked, "the finding proposes no action"
	}
	if engaged := w.brake.state(); engaged != nil && isDestructive(f) {
		return drift.ApplyBlocked, brakeReason(engaged)
	}
	empty, err := w.dependsOnEmptyEngine(ctx, f)
	if empty {
		return drift.ApplyBlocked, emptyEngineReason
	}
	if err == nil {
		err = w.deps.Remediator.Remediate(ctx, f, actor)
	}
	switch {
	case err == nil:
		return drift.ApplyDone, ""
	case errors.Is(err, runtime.ErrConflict):
		return drift.ApplyStale, err.Error()
	default:
		return drift.ApplyFailed, err.Error()
	}
}

// ReleaseBrake allows the actions that the brake blocked. It returns an
// *operation.RejectedError if the brake is not engaged.
func (w *Worker) ReleaseBrake() error {
	if w.brake.state() == nil {
		self := node.Ref{Region: w.cfg.Region, Name: w.cfg.Node}
		return &operation.RejectedError{Operation: "release", Reason: "the brake of node " + self.String() + " is not engaged"}
	}
	w.brake.release()
	w.deps.Queue.TriggerFullReconcile()
	return nil
}

// Brake returns the engaged brake, or nil.
func (w *Worker) Brake() *drift.Brake { return w.brake.state() }
