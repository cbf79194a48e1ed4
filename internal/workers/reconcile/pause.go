package reconcile

import "galaxy/rtmanager/internal/domain/drift"

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
	for i, f := range findings {
		switch f.Action {
		case drift.ActionRestart, drift.ActionRemoveContainer, drift.ActionMarkRemoved, drift.ActionAdopt:
			findings[i].BlockedBy = reason
		}
	}
}
