package reconcile

import (
	"context"
	"errors"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Report returns what this node finds now. It looks at everything anew, and
// changes nothing.
func (w *Worker) Report(ctx context.Context) (ports.DriftReport, error) {
	report := ports.DriftReport{Findings: []ports.DriftFinding{}, Brakes: []ports.Brake{}, Missing: []ports.MissingNode{}}
	if _, err := w.Pass(ctx); err != nil {
		return report, err
	}
	held := w.brake.held()
	if held != nil {
		report.Brakes = append(report.Brakes, *held)
	}
	for _, f := range w.book.All() {
		if held != nil && destructive(f) {
			f.Held = "the brake is on: " + held.Reason
		}
		report.Findings = append(report.Findings, f)
	}
	return report, nil
}

// Findings returns what was last found of the game.
func (w *Worker) Findings(gameID string) []ports.DriftFinding { return w.book.Of(gameID) }

// Apply acts on findings as they were reported, the brake notwithstanding: whoever
// asks has seen them. It returns an error for each one, nil where it was done.
func (w *Worker) Apply(ctx context.Context, findings []ports.DriftFinding) []error {
	results := make([]error, len(findings))
	for i, f := range findings {
		if f.Region != w.cfg.Region || f.Node != w.cfg.Node {
			results[i] = &runtime.InvalidError{Field: "node", Reason: "of the finding is another than this one"}
			continue
		}
		results[i] = w.Settler.Settle(ctx, f)
		w.Notice(f.GameID)
	}
	return results
}

// ReleaseBrake lets what the brake held back go on. It is an error when it is not on.
func (w *Worker) ReleaseBrake() error {
	if w.brake.held() == nil {
		return errors.New("the brake is not on")
	}
	w.brake.release()
	w.NoticeAll()
	return nil
}

// Brake returns the brake if it is on, and otherwise nil.
func (w *Worker) Brake() *ports.Brake { return w.brake.held() }
