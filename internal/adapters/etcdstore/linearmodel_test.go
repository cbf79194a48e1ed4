package etcdstore_test

import (
	"fmt"
	"strings"

	"galaxy/rtmanager/internal/domain/runtime"
)

// linearGames is how many games one history is about.
const linearGames = 4

// standing is what the model knows of one game's record. The zero one is no
// record. Every write has a number of its own, so that a standing tells which
// write made it: a stale answer never looks like a fresh one.
type standing struct {
	status    runtime.Status
	container string
	upsert    int // the Upsert that wrote the record
	last      int // the write that changed it last
}

func (s standing) String() string {
	if s == (standing{}) {
		return "absent"
	}
	return fmt.Sprintf("%s %q upsert %d last %d", s.status, s.container, s.upsert, s.last)
}

// standings is the state of the model: all games at one moment.
type standings [linearGames]standing

func (s standings) String() string {
	var text []string
	for game, one := range s {
		if one != (standing{}) {
			text = append(text, fmt.Sprintf("%d: %s", game, one))
		}
	}
	return "{" + strings.Join(text, "; ") + "}"
}

func (s standings) hash() uint64 {
	sum := uint64(17)
	for _, one := range s {
		sum = sum*1_000_003 + uint64(one.last)
	}
	return sum
}

// linearVerb is one method of the port.
type linearVerb string

const (
	linearGet          linearVerb = "get"
	linearList         linearVerb = "list"
	linearListByStatus linearVerb = "list by status"
	linearUpsert       linearVerb = "upsert"
	linearUpdate       linearVerb = "update"
)

// linearCall is what a client asked for.
type linearCall struct {
	verb      linearVerb
	game      int
	number    int            // of a write
	from      runtime.Status // that an update expects
	to        runtime.Status // that a write leaves, or that is listed
	container string         // that an upsert writes, or the guard of an update
}

func (c linearCall) String() string {
	switch c.verb {
	case linearList:
		return string(c.verb)
	case linearListByStatus:
		return fmt.Sprintf("%s %s", c.verb, c.to)
	case linearGet:
		return fmt.Sprintf("%s %d", c.verb, c.game)
	case linearUpsert:
		return fmt.Sprintf("#%d %s %d %s %q", c.number, c.verb, c.game, c.to, c.container)
	default:
		return fmt.Sprintf("#%d %s %d %s→%s if %q", c.number, c.verb, c.game, c.from, c.to, c.container)
	}
}

// linearVerdict is how a call ended. An operation whose write did not happen
// has none: it is not in the history.
type linearVerdict string

const (
	linearDone     linearVerdict = "done"
	linearConflict linearVerdict = "conflict"
	linearAbsent   linearVerdict = "absent" // an update of no record
	linearUnknown  linearVerdict = "unknown"
)

// linearAnswer is what a client was told.
type linearAnswer struct {
	verdict linearVerdict
	failed  runtime.Precondition // of a conflict
	seen    standings            // what a read or a conflict showed
}

func (a linearAnswer) String() string {
	if a.seen == (standings{}) {
		return string(a.verdict)
	}
	return fmt.Sprintf("%s %s %s", a.verdict, a.failed, a.seen)
}

// step carries the call out on the state. It returns false where the store
// could not have given this answer then. A write of unknown outcome may have met
// anything.
func (s standings) step(call linearCall, answer linearAnswer) (bool, standings) {
	switch call.verb {
	case linearGet:
		return answer.seen[call.game] == s[call.game], s
	case linearList:
		return answer.seen == s, s
	case linearListByStatus:
		return answer.seen == s.only(call.to), s
	case linearUpsert:
		s[call.game] = standing{status: call.to, container: call.container, upsert: call.number, last: call.number}
		return true, s
	default:
		return s.update(call, answer)
	}
}

// only returns the games of the status.
func (s standings) only(status runtime.Status) standings {
	for game := range s {
		if s[game].status != status {
			s[game] = standing{}
		}
	}
	return s
}

func (s standings) update(call linearCall, answer linearAnswer) (bool, standings) {
	now := s[call.game]
	want := now.verdict(call)
	if answer.verdict != linearUnknown && answer != want {
		return false, s
	}
	if want.verdict == linearDone {
		now.status, now.last = call.to, call.number
		if call.to == runtime.StatusRemoved {
			now.container = ""
		}
		s[call.game] = now
	}
	return true, s
}

// verdict is the answer that an update of the record deserves.
func (s standing) verdict(call linearCall) linearAnswer {
	conflict := linearAnswer{verdict: linearConflict}
	conflict.seen[call.game] = s
	switch {
	case s == standing{}:
		return linearAnswer{verdict: linearAbsent}
	case s.status != call.from:
		conflict.failed = runtime.PreconditionStatus
	case call.container != "" && call.container != s.container:
		conflict.failed = runtime.PreconditionContainerID
	default:
		return linearAnswer{verdict: linearDone}
	}
	return conflict
}
