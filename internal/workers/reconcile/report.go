package reconcile

import (
	"context"
	"errors"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// notBelieved is why a finding is held before the brake is on.
const notBelieved = "not believed yet: the engine has no container at all"

// Report returns what this node finds now. It looks at everything anew, and
// changes nothing.
func (w *Worker) Report(ctx context.Context) (drift.Report, error) {
	report := drift.Report{Findings: []drift.Finding{}, Brakes: []drift.Brake{}, Missing: []drift.UnreachableNode{}}
	passed, err := w.Pass(ctx)
	if err != nil {
		return report, err
	}
	held := w.brake.held()
	if held != nil {
		report.Brakes = append(report.Brakes, *held)
	}
	for _, f := range w.book.All() {
		switch {
		case held != nil && destructive(f):
			f.BlockedBy = "the brake is on: " + held.Reason
		case passed.Empty && f.Action == drift.ActionMarkRemoved && !f.Proven && !w.brake.released():
			f.BlockedBy = notBelieved
		}
		report.Findings = append(report.Findings, f)
	}
	return report, nil
}

// Findings returns what was last found of the game.
func (w *Worker) Findings(gameID string) []drift.Finding { return w.book.ForGame(gameID) }

// AllFindings returns what was last found of every game.
func (w *Worker) AllFindings() []drift.Finding { return w.book.All() }

// Apply acts on findings that were reported, one after the other, without waiting
// for them to be seen for longer: whoever asks has seen them. What the brake holds
// stays held. It returns one result for each, in the same order.
func (w *Worker) Apply(ctx context.Context, findings []drift.Finding, actor string) []drift.ApplyResult {
	results := make([]drift.ApplyResult, len(findings))
	for i, f := range findings {
		results[i] = drift.ApplyResult{ID: f.ID, GameID: f.GameID, Region: f.Region, Node: f.Node, Action: f.Action}
		results[i].Status, results[i].Reason = w.apply(ctx, f, actor)
		w.Enqueue(f.GameID)
	}
	return results
}

func (w *Worker) apply(ctx context.Context, f drift.Finding, actor string) (drift.ApplyStatus, string) {
	if f.Action == drift.ActionNone {
		return drift.ApplyBlocked, "nothing is proposed"
	}
	if held := w.brake.held(); held != nil && destructive(f) {
		return drift.ApplyBlocked, "the brake is on: " + held.Reason
	}
	doubtful, err := w.doubtful(ctx, f)
	if doubtful {
		return drift.ApplyBlocked, notBelieved
	}
	if err == nil {
		err = w.Remediator.Remediate(ctx, f, actor)
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

// ReleaseBrake lets what the brake held back go on. It is a *runtime.RefusedError
// when it is not on.
func (w *Worker) ReleaseBrake() error {
	if w.brake.held() == nil {
		return &operation.RefusedError{Operation: "release", Reason: "the brake of node " + w.cfg.Region + "/" + w.cfg.Node + " is not on"}
	}
	w.brake.release()
	w.TriggerFullReconcile()
	return nil
}

// Brake returns the brake if it is on, and otherwise nil.
func (w *Worker) Brake() *drift.Brake { return w.brake.held() }
