package gameevent

import "cmp"

// Text describes the event in one line, without the game, its node and the actor.
func (e Event) Text() string {
	text := e.what()
	if e.Failure != "" {
		text += ": " + e.Failure
	} else if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

func (e Event) what() string {
	arrow := cmp.Or(e.From, "none") + " → " + cmp.Or(e.To, "none")
	if e.Type == HealthChanged && e.From == "" { // "none" is the health of a game without a check
		arrow = e.To
	}
	switch e.Type {
	case Created:
		return "created as " + e.To
	case Deleted:
		return "deleted, was " + e.From
	case NodeLost:
		return "node " + e.To + " is lost"
	case NodeReturned:
		return "node " + e.To + " has returned"
	case Started:
		return e.OperationKind + " has started"
	case Finished:
		return e.OperationKind + " has " + e.resultText()
	case Relocated, StatusChanged:
		return arrow
	case ImageChanged:
		if e.From == e.To {
			return "image " + e.To + " has another content"
		}
		return "image " + arrow
	case CrashRestarted:
		return "restarted after a crash, restarts in the window: " + e.To
	case CrashLoop:
		return "crash loop: no restart is left"
	case CrashLoopEnded:
		return "no crash loop any more"
	case HealthChanged:
		return "health " + arrow
	case ReadyChanged:
		if e.To == "true" {
			return "players can use it"
		}
		return "players cannot use it"
	case LabelsChanged:
		return "labels have changed"
	case MetadataChanged:
		return "metadata has changed"
	}
	return string(e.Type)
}

func (e Event) resultText() string {
	switch e.Result {
	case Succeeded, Failed:
		return string(e.Result)
	case Unknown:
	}
	return "ended"
}
