package etcdstore_test

import (
	"fmt"
	"strings"

	"galaxy/rtmanager/internal/domain/runtime"
)

// linearGames is how many games one history has.
const linearGames = 4

// gameState is what the model has of one game's record. The zero one is no record. Every
// write has a number of its own, so that a state identifies the write that made it: a
// stale result never equals a fresh one.
type gameState struct {
	status    runtime.Status
	container string
	upsert    int // the Upsert that wrote the record
	last      int // the write that changed it last
}

func (s gameState) String() string {
	if s == (gameState{}) {
		return "absent"
	}
	return fmt.Sprintf("%s %q upsert %d last %d", s.status, s.container, s.upsert, s.last)
}

// modelState is the state of the model: all games at one time.
type modelState [linearGames]gameState

func (s modelState) String() string {
	var text []string
	for game, one := range s {
		if one != (gameState{}) {
			text = append(text, fmt.Sprintf("%d: %s", game, one))
		}
	}
	return "{" + strings.Join(text, "; ") + "}"
}

func (s modelState) hash() uint64 {
	sum := uint64(17)
	for _, one := range s {
		sum = sum*1_000_003 + uint64(one.last)
	}
	return sum
}

// linearMethod is one method of the port.
type linearMethod string

const (
	linearGet          linearMethod = "get"
	linearList         linearMethod = "list"
	linearListByStatus linearMethod = "list by status"
	linearUpsert       linearMethod = "upsert"
	linearUpdate       linearMethod = "update"
	linearDelete       linearMethod = "delete"
)

// linearCall is one call.
type linearCall struct {
	method    linearMethod
	game      int
	number    int            // of a write
	from      runtime.Status // that an update expects
	to        runtime.Status // after a write, or of a list
	container string         // that an upsert writes, or the guard of an update
}

func (c linearCall) String() string {
	switch c.method {
	case linearList:
		return string(c.method)
	case linearListByStatus:
		return fmt.Sprintf("%s %s", c.method, c.to)
	case linearGet:
		return fmt.Sprintf("%s %d", c.method, c.game)
	case linearDelete:
		return fmt.Sprintf("#%d %s %d", c.number, c.method, c.game)
	case linearUpsert:
		return fmt.Sprintf("#%d %s %d %s %q", c.number, c.method, c.game, c.to, c.container)
	default:
		return fmt.Sprintf("#%d %s %d %s→%s if %q", c.number, c.method, c.game, c.from, c.to, c.container)
	}
}

// linearOutcome is how a call ended. An operation whose write was not applied has none:
// it is not in the history.
type linearOutcome string

const (
	linearDone     linearOutcome = "done"
	linearConflict linearOutcome = "conflict"
	linearAbsent   linearOutcome = "absent"   // an update or deletion of no record
	linearRejected linearOutcome = "rejected" // a deletion of a game that is not removed
	linearUnknown  linearOutcome = "unknown"
)

// linearResult is the result of one call.
type linearResult struct {
	outcome linearOutcome
	failed  runtime.Precondition // of a conflict
	status  runtime.Status       // of a rejection
	seen    modelState           // what a read or a conflict showed
}

func (a linearResult) String() string {
	if a.seen == (modelState{}) {
		return strings.TrimSpace(fmt.Sprint(a.outcome, " ", a.status))
	}
	return fmt.Sprintf("%s %s %s", a.outcome, a.failed, a.seen)
}

// step applies the call to the state. It returns false if the store could not have
// returned this result then. A write of unknown outcome may have been applied to
// anything.
func (s modelState) step(call linearCall, result linearResult) (bool, modelState) {
	switch call.method {
	case linearGet:
		return result.seen[call.game] == s[call.game], s
	case linearList:
		return result.seen == s, s
	case linearListByStatus:
		return result.seen == s.only(call.to), s
	case linearUpsert:
		s[call.game] = gameState{status: call.to, container: call.container, upsert: call.number, last: call.number}
		return true, s
	case linearDelete:
		return s.delete(call, result)
	default:
		return s.update(call, result)
	}
}

// only returns the games of the status.
func (s modelState) only(status runtime.Status) modelState {
	for game := range s {
		if s[game].status != status {
			s[game] = gameState{}
		}
	}
	return s
}

func (s modelState) update(call linearCall, result linearResult) (bool, modelState) {
	now := s[call.game]
	want := now.outcome(call)
	if result.outcome != linearUnknown && result != want {
		return false, s
	}
	if want.outcome == linearDone {
		now.status, now.last = call.to, call.number
		if call.to == runtime.StatusRemoved {
			now.container = ""
		}
		s[call.game] = now
	}
	return true, s
}

// delete accepts "done" for an absent game: a call that has found the removed record succeeds
// even if a concurrent call has deleted it.
func (s modelState) delete(call linearCall, result linearResult) (bool, modelState) {
	want := linearResult{outcome: linearDone}
	switch status := s[call.game].status; status {
	case "":
		if result != want {
			want.outcome = linearAbsent
		}
	case runtime.StatusRemoved:
	default:
		want = linearResult{outcome: linearRejected, status: status}
	}
	if result.outcome != linearUnknown && result != want {
		return false, s
	}
	if want.outcome == linearDone {
		s[call.game] = gameState{}
	}
	return true, s
}

// outcome returns the correct result of an update of the record.
func (s gameState) outcome(call linearCall) linearResult {
	conflict := linearResult{outcome: linearConflict}
	conflict.seen[call.game] = s
	switch {
	case s == gameState{}:
		return linearResult{outcome: linearAbsent}
	case s.status != call.from:
		conflict.failed = runtime.PreconditionStatus
	case call.container != "" && call.container != s.container:
		conflict.failed = runtime.PreconditionContainerID
	default:
		return linearResult{outcome: linearDone}
	}
	return conflict
}
