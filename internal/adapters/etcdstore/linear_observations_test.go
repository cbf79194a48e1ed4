package etcdstore_test

import (
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// modelFor is the specification of the port for all games together: a list is of one
// time, which a check of each game alone cannot verify. It is made for one history.
func modelFor(history []porcupine.Operation) porcupine.Model {
	seen := observe(history)
	return porcupine.Model{
		Init: func() any { return searchState{} },
		Hash: func(state any) uint64 { return state.(searchState).now.hash() },
		Step: func(state, input, output any) (bool, any) {
			return seen.step(state.(searchState), input.(linearCall), output.(linearResult))
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%v: %v", input, output) },
		DescribeState:     func(state any) string { return state.(searchState).now.String() },
	}
}

// searchState is a state of the model during the search through a history.
type searchState struct {
	now modelState
	// shown counts the results that have shown the current state of each game, and
	// updates the observed updates since its last upsert.
	shown, updates [linearGames]int
	// certain counts the operations so far that were certainly applied.
	certain int
}

// observations are what all results of a history show together. Every write has its own
// number, so a game has each state except absence once and without interruption, and every
// result that shows such a state precedes the next write. Every order that agrees with all
// results satisfies this, so nothing is rejected here that the model alone would accept; but
// the checker detects at once, and not after millions of tries, that a write comes too early.
type observations struct {
	times     map[observed]int  // how many results show this state of the game
	after     map[int]gameState // the state after a write, if a result shows it
	updatesOf map[int]int       // by upsert: updates of its record that a result shows
	certain   int               // operations that were certainly applied
}

type observed struct {
	game int
	as   gameState
}

func observe(history []porcupine.Operation) observations {
	s := observations{times: map[observed]int{}, after: map[int]gameState{}, updatesOf: map[int]int{}}
	for _, op := range history {
		call, result := op.Input.(linearCall), op.Output.(linearResult)
		for game, as := range result.seen {
			if result.showsGame(call, game) {
				s.add(game, as)
			}
		}
	}
	for _, op := range history {
		if s.wasApplied(op.Input.(linearCall), op.Output.(linearResult)) {
			s.certain++
		}
	}
	return s
}

func (s observations) add(game int, as gameState) {
	if as == (gameState{}) {
		return // a game can be absent several times
	}
	s.times[observed{game, as}]++
	if _, delivered := s.after[as.last]; !delivered && as.last != as.upsert {
		s.updatesOf[as.upsert]++
	}
	s.after[as.last] = as
}

// showsGame reports whether the result states exactly the state of the game.
func (a linearResult) showsGame(call linearCall, game int) bool {
	switch call.method {
	case linearList:
		return true
	case linearListByStatus:
		return a.seen[game] != gameState{}
	case linearGet:
		return game == call.game
	default:
		return game == call.game && (a.outcome == linearConflict || a.outcome == linearAbsent)
	}
}

// wasApplied reports whether the operation was certainly applied: all were, except
// writes of unknown outcome that no result shows.
func (s observations) wasApplied(call linearCall, result linearResult) bool {
	_, seen := s.after[call.number]
	return result.outcome != linearUnknown || seen
}

// step is the step of the model. It also rejects an order in which a later result could
// not occur any more.
func (s observations) step(state searchState, call linearCall, result linearResult) (bool, searchState) {
	wasApplied := s.wasApplied(call, result)
	if !wasApplied && state.certain == s.certain {
		return true, state // it was never applied
	}
	ok, next := state.now.step(call, result)
	if !ok {
		return false, state
	}
	if wasApplied {
		state.certain++
	}
	for game := range next {
		if result.showsGame(call, game) {
			state.shown[game]++
		}
	}
	if next == state.now {
		// a write that changes nothing here returned that, or is still to be applied
		return call.number == 0 || result.outcome != linearUnknown, state
	}
	return s.write(state, call, next)
}

// write moves to the state after a write, unless a result is still to show the state that
// it overwrites, or shows another state of that write.
func (s observations) write(state searchState, call linearCall, next modelState) (bool, searchState) {
	game := call.game
	was := state.now[game]
	shown, seen := s.after[call.number]
	if seen && shown != next[game] || state.shown[game] < s.times[observed{game, was}] {
		return false, state
	}
	state.now, state.shown[game] = next, 0
	if call.method == linearUpsert || call.method == linearDelete {
		complete := state.updates[game] == s.updatesOf[was.upsert]
		state.updates[game] = 0
		return complete, state
	}
	if seen {
		state.updates[game]++
	}
	return true, state
}

// extendUnknown returns the history with the time in which a write of unknown outcome may
// be applied: until the end. That it is never applied is equivalent to being last.
func extendUnknown(history []porcupine.Operation) []porcupine.Operation {
	extended := slices.Clone(history)
	end := int64(0)
	for _, op := range history {
		end = max(end, op.Return+1)
	}
	for i := range extended {
		if extended[i].Output.(linearResult).outcome == linearUnknown {
			extended[i].Return = end
		}
	}
	return extended
}

// ofGame returns the part of a history about one game, with lists reduced to that game.
func ofGame(history []porcupine.Operation, game int) []porcupine.Operation {
	var part []porcupine.Operation
	for _, op := range history {
		call, result := op.Input.(linearCall), op.Output.(linearResult)
		isList := call.method == linearList || call.method == linearListByStatus
		if !isList && call.game != game {
			continue
		}
		seen := result.seen[game]
		result.seen = modelState{}
		result.seen[game] = seen
		op.Output = result
		part = append(part, op)
	}
	return part
}
