package reconcile

import (
	"slices"

	"galaxy/rtmanager/internal/domain/drift"
)

// blockPaused blocks the findings whose action stops, starts or removes something, while an
// operator has paused this node or its region. Records still follow the engine, and operations
// that a user has requested are completed.
func (w *Worker) blockPaused(findings []drift.Finding) {
	if w.deps.PauseReason == nil {
		return
	}
	reason := w.deps.PauseReason()
	if reason == "" {
		return
	}
	paused := []drift.Action{drift.ActionRestart, drift.ActionRemoveContainer, drift.ActionMarkRemoved, drift.ActionAdopt}
	for i, f := range findings {
		if slices.Contains(paused, f.Action) {
			findings[i].BlockedBy = reason
		}
	}
}
