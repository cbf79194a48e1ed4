package etcdstore_test

import (
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// modelFor is the specification of the port, all games together: a list is of
// one moment, which no check of the games one by one could tell. It is made for
// one history.
func modelFor(history []porcupine.Operation) porcupine.Model {
	seen := sightingsIn(history)
	return porcupine.Model{
		Init: func() any { return linearState{} },
		Hash: func(state any) uint64 { return state.(linearState).now.hash() },
		Step: func(state, input, output any) (bool, any) {
			return seen.step(state.(linearState), input.(linearCall), output.(linearAnswer))
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%v: %v", input, output) },
		DescribeState:     func(state any) string { return state.(linearState).now.String() },
	}
}

// linearState is a state of the model on its way through a history.
type linearState struct {
	now standings
	// told counts who has seen each game as it stands, and moved the updates
	// since its last upsert that anybody ever sees.
	told, moved [linearGames]int
	// certain counts the operations so far that have happened for certain.
	certain int
}

// sightings is what all answers of a history say together. Every write has its
// own number, so a game stands as it does once and without a break, and whoever
// saw it so saw it before the next write. Every order that agrees with all
// answers keeps to that, so nothing is refused here that the model alone would
// let pass; but the checker learns at once, and not after millions of tries,
// that a write comes too early.
type sightings struct {
	times   map[sighted]int  // how many answers show the game like this
	after   map[int]standing // what a write has left, of those that were seen
	moves   map[int]int      // by upsert: updates of its record that were seen
	certain int              // operations that have happened for certain
}

type sighted struct {
	game int
	as   standing
}

func sightingsIn(history []porcupine.Operation) sightings {
	s := sightings{times: map[sighted]int{}, after: map[int]standing{}, moves: map[int]int{}}
	for _, op := range history {
		call, answer := op.Input.(linearCall), op.Output.(linearAnswer)
		for game, as := range answer.seen {
			if answer.shows(call, game) {
				s.add(game, as)
			}
		}
	}
	for _, op := range history {
		if s.happened(op.Input.(linearCall), op.Output.(linearAnswer)) {
			s.certain++
		}
	}
	return s
}

func (s sightings) add(game int, as standing) {
	s.times[sighted{game, as}]++
	if _, known := s.after[as.last]; !known && as.last != as.upsert {
		s.moves[as.upsert]++
	}
	s.after[as.last] = as
}

// shows reports whether the answer says exactly how the game stands.
func (a linearAnswer) shows(call linearCall, game int) bool {
	switch call.verb {
	case linearList:
		return true
	case linearListByStatus:
		return a.seen[game] != standing{}
	case linearGet:
		return game == call.game
	default:
		return game == call.game && (a.verdict == linearConflict || a.verdict == linearAbsent)
	}
}

// happened reports whether the operation has happened for certain: all have,
// but for writes of unknown outcome that nobody saw.
func (s sightings) happened(call linearCall, answer linearAnswer) bool {
	_, seen := s.after[call.number]
	return answer.verdict != linearUnknown || seen
}

// step is the step of the model, refused also where an answer yet to come could
// not be given any more.
func (s sightings) step(state linearState, call linearCall, answer linearAnswer) (bool, linearState) {
	happened := s.happened(call, answer)
	if !happened && state.certain == s.certain {
		return true, state // and never was applied
	}
	ok, next := state.now.step(call, answer)
	if !ok {
		return false, state
	}
	if happened {
		state.certain++
	}
	for game := range next {
		if answer.shows(call, game) {
			state.told[game]++
		}
	}
	if next == state.now {
		// a write that changes nothing here is told so, or still has its time to come
		return call.number == 0 || answer.verdict != linearUnknown, state
	}
	return s.write(state, call, next)
}

// write moves on to what a write leaves, unless somebody is still to see what it
// overwrites, or saw something else that it left.
func (s sightings) write(state linearState, call linearCall, next standings) (bool, linearState) {
	game := call.game
	was := state.now[game]
	left, seen := s.after[call.number]
	if seen && left != next[game] || state.told[game] < s.times[sighted{game, was}] {
		return false, state
	}
	state.now, state.told[game] = next, 0
	if call.verb == linearUpsert {
		complete := state.moved[game] == s.moves[was.upsert]
		state.moved[game] = 0
		return complete, state
	}
	if seen {
		state.moved[game]++
	}
	return true, state
}

// settle returns the history with the time that a write of unknown outcome has
// to be applied in: until the end of all. That it never is applied is the same
// as that it comes last.
func settle(history []porcupine.Operation) []porcupine.Operation {
	settled := slices.Clone(history)
	end := int64(0)
	for _, op := range history {
		end = max(end, op.Return+1)
	}
	for i := range settled {
		if settled[i].Output.(linearAnswer).verdict == linearUnknown {
			settled[i].Return = end
		}
	}
	return settled
}

// ofGame returns the part of a history that is about one game, lists cut down
// to what they say of it.
func ofGame(history []porcupine.Operation, game int) []porcupine.Operation {
	var part []porcupine.Operation
	for _, op := range history {
		call, answer := op.Input.(linearCall), op.Output.(linearAnswer)
		isList := call.verb == linearList || call.verb == linearListByStatus
		if !isList && call.game != game {
			continue
		}
		seen := answer.seen[game]
		answer.seen = standings{}
		answer.seen[game] = seen
		op.Output = answer
		part = append(part, op)
	}
	return part
}
