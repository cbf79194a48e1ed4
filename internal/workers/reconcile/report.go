package reconcile

import (
	"context"
	"errors"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// notBelieved is why a finding is held before the brake is on.
const notBelieved = "not believed yet: the engine has no container at all"

// Report returns what this node finds now. It looks at everything anew, and
// changes nothing.
func (w *Worker) Report(ctx context.Context) (ports.DriftReport, error) {
	report := ports.DriftReport{Findings: []ports.DriftFinding{}, Brakes: []ports.Brake{}, Missing: []ports.UnreachableNode{}}
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
		case passed.Empty && f.Action == ports.ActionMarkRemoved && !f.Proven && !w.brake.released():
			f.BlockedBy = notBelieved
		}
		report.Findings = append(report.Findings, f)
	}
	return report, nil
}

// Findings returns what was last found of the game.
func (w *Worker) Findings(gameID string) []ports.DriftFinding { return w.book.Of(gameID) }

// AllFindings returns what was last found of every game.
func (w *Worker) AllFindings() []ports.DriftFinding { return w.book.All() }

// Apply acts on findings that were reported, one after the other, without waiting
// for them to be seen for longer: whoever asks has seen them. What the brake holds
// stays held. It returns one result for each, in the same order.
func (w *Worker) Apply(ctx context.Context, findings []ports.DriftFinding, actor string) []ports.ApplyResult {
	results := make([]ports.ApplyResult, len(findings))
	for i, f := range findings {
		results[i] = ports.ApplyResult{ID: f.ID, GameID: f.GameID, Region: f.Region, Node: f.Node, Action: f.Action}
		results[i].Status, results[i].Reason = w.apply(ctx, f, actor)
		w.Notice(f.GameID)
	}
	return results
}

func (w *Worker) apply(ctx context.Context, f ports.DriftFinding, actor string) (ports.ApplyStatus, string) {
	if f.Action == ports.ActionNone {
		return ports.ApplyBlocked, "nothing is proposed"
	}
	if held := w.brake.held(); held != nil && destructive(f) {
		return ports.ApplyBlocked, "the brake is on: " + held.Reason
	}
	doubtful, err := w.doubtful(ctx, f)
	if doubtful {
		return ports.ApplyBlocked, notBelieved
	}
	if err == nil {
		err = w.Settler.Settle(ctx, f, actor)
	}
	switch {
	case err == nil:
		return ports.ApplyDone, ""
	case errors.Is(err, runtime.ErrConflict):
		return ports.ApplyStale, err.Error()
	default:
		return ports.ApplyFailed, err.Error()
	}
}

// ReleaseBrake lets what the brake held back go on. It is a *runtime.RefusedError
// when it is not on.
func (w *Worker) ReleaseBrake() error {
	if w.brake.held() == nil {
		return &runtime.RefusedError{Operation: "release", Reason: "the brake of node " + w.cfg.Region + "/" + w.cfg.Node + " is not on"}
	}
	w.brake.release()
	w.NoticeAll()
	return nil
}

// Brake returns the brake if it is on, and otherwise nil.
func (w *Worker) Brake() *ports.Brake { return w.brake.held() }
