package rollout

// State is the state of a rollout.
type State string

// The states.
const (
	// StatePreparing: the games are being stored.
	StatePreparing State = "preparing"
	// StateRunning: games get the image.
	StateRunning State = "running"
	// StatePaused: no further game is changed. Games whose change is in progress complete it.
	StatePaused State = "paused"
	// StateUndoing: games get back their previous images.
	StateUndoing State = "undoing"
	// StateCompleted: no game is left, and none has failed.
	StateCompleted State = "completed"
	// StateFailed: no game is left, and some have failed.
	StateFailed State = "failed"
	// StateUndone: every changed game has its previous image.
	StateUndone State = "undone"
	// StateDeleting: the rollout and its games are being deleted.
	StateDeleting State = "deleting"
)

// IsActive reports whether the leader works on rollouts in the state.
func (s State) IsActive() bool { return s == StateRunning || s == StateUndoing }

// HasEnded reports whether nothing is left to do, unless a user resumes or undoes the rollout.
func (s State) HasEnded() bool {
	return s == StateCompleted || s == StateFailed || s == StateUndone
}

// Action is a request of a user that changes the state of a rollout.
type Action string

// The actions.
const (
	ActionPause  Action = "pause"
	ActionResume Action = "resume"
	ActionUndo   Action = "undo"
	ActionDelete Action = "delete"
)

// Request is a request for an Action.
type Request struct {
	Action Action
	// SkipFailed is for a resume: games that have failed are not retried.
	SkipFailed bool
	// By is the user of the request; the rollout acts with the rights of the last one that
	// started, resumed or undid it.
	By Actor
	// Reason is why the action was requested.
	Reason string
}

// Apply applies the request, and reports whether it has changed the rollout. An action whose
// result the rollout has already changes nothing. It returns a *StateError if the state does not
// allow the action.
func (r *Rollout) Apply(request Request) (hasChanged bool, err error) {
	next, isAllowed := r.next(request.Action)
	if !isAllowed {
		return false, &StateError{ID: r.ID, State: r.State, Action: request.Action}
	}
	if next == r.State {
		return false, nil
	}
	switch request.Action {
	case ActionPause:
		r.Message = joinReason("paused by "+request.By.name(), request.Reason)
	case ActionResume:
		if !request.SkipFailed {
			r.Attempt++
		}
		r.SkipsFailed = request.SkipFailed
	case ActionUndo:
		r.IsUndo, r.SkipsFailed = true, false
		r.Attempt++
	case ActionDelete:
	}
	if request.Action == ActionResume || request.Action == ActionUndo {
		r.By, r.Message, r.FinishedAt = request.By, "", nil
		if request.Reason != "" {
			r.Reason = request.Reason
		}
	}
	r.State = next
	return true, nil
}

// next returns the state after the action, and false if the state does not allow the action.
func (r *Rollout) next(action Action) (State, bool) {
	active := StateRunning
	if r.IsUndo {
		active = StateUndoing
	}
	switch action {
	case ActionPause:
		return StatePaused, r.State.IsActive() || r.State == StatePaused
	case ActionResume:
		return active, r.State == active || r.State == StatePaused || r.State == StateFailed
	case ActionUndo:
		switch {
		case r.State == StateUndone || r.State == StateUndoing:
			return r.State, true
		case r.IsUndo || r.State == StatePreparing || r.State == StateDeleting: // a paused or failed undo is resumed
			return "", false
		}
		return StateUndoing, true
	case ActionDelete:
		return StateDeleting, r.State == StateDeleting || r.Counts.InProgress == 0 && (r.State == StatePaused || r.State.HasEnded())
	}
	return "", false
}

func joinReason(text, reason string) string {
	if reason != "" {
		text += ": " + reason
	}
	return text
}
