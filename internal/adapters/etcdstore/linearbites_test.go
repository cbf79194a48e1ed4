package etcdstore_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
)

// TestLinearizabilityCheckerBites spoils a recorded history in the ways of a
// store that is wrong, and wants every one refused.
func TestLinearizabilityCheckerBites(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64N(1 << 53)
	t.Logf("seed %d", seed)
	r := newLinearRig(t, etcdstore.Options{}, seed)
	r.work(40)
	r.calm()
	c := playCoda(r)
	r.requireLinearizable("as it was recorded")

	stood := func(place int) standing { return c.answer(place).seen[0] }
	for name, spoil := range map[string]func(){
		"a stale read":                        func() { c.shows(c.seenSecond, stood(c.seenFirst)) },
		"a read of what is yet to come":       func() { c.shows(c.seenFirst, stood(c.seenSecond)) },
		"a read of what nobody wrote":         func() { c.shows(c.seenSecond, standing{status: runtime.StatusRunning, upsert: -1, last: -1}) },
		"a game that vanished":                func() { c.shows(c.seenSecond, standing{}) },
		"a lost update":                       func() { c.shows(c.seenStopped, stood(c.seenSecond)) },
		"a lost upsert":                       func() { c.shows(c.last, stood(c.seenStopped)) },
		"two winners":                         func() { c.set(c.stopAgain, linearAnswer{verdict: linearDone}) },
		"an update done under a wrong guard":  func() { c.set(c.guarded, linearAnswer{verdict: linearDone}) },
		"an update of a game that is not":     func() { c.set(c.stop, linearAnswer{verdict: linearAbsent}) },
		"a conflict that was none":            func() { c.set(c.stop, c.answer(c.stopAgain)) },
		"a conflict with what does not stand": func() { c.shows(c.stopAgain, stood(c.seenSecond)) },
		"a conflict with what never stood":    func() { c.shows(c.stopAgain, c.removed(c.stopAgain)) },
		"a conflict about another thing":      func() { c.fails(c.stopAgain, runtime.PreconditionContainerID) },
		"a list of two moments":               func() { c.lists(c.long, c.before, c.after) },
		"a write that did not happen":         func() { c.forget(c.second) },
		"an unknown write applied twice":      func() { c.doubt(c.first); c.shows(c.seenStopped, stood(c.seenFirst)) },
		"an unknown write seen and gone":      func() { c.doubt(c.stop); c.shows(c.seenStopped, stood(c.seenSecond)) },
	} {
		c.history = slices.Clone(r.record.history)
		spoil()
		require.Equal(t, porcupine.Illegal, judgeHistory(c.history), "%s passes", name)
	}
	c.requireMild(t, r.record.history)
}

// requireMild makes changes to the history that a right store could have made.
func (c *coda) requireMild(t *testing.T, history []porcupine.Operation) {
	t.Helper()
	for name, spoil := range map[string]func(){
		"the list at its call":          func() { c.lists(c.long, c.before, c.before) },
		"the list between the writes":   func() { c.lists(c.long, c.middle, c.middle) },
		"the list at its return":        func() { c.lists(c.long, c.after, c.after) },
		"an unknown write that is seen": func() { c.doubt(c.second) },
		"an unknown write, not applied": func() { c.doubt(c.stopAgain) },
	} {
		c.history = slices.Clone(history)
		spoil()
		require.Equal(t, porcupine.Ok, judgeHistory(c.history), "%s is refused", name)
	}
	c.history = slices.Clone(history)
	c.lists(c.long, c.before, c.after)
	require.Empty(t, guiltyGames(c.history), "a list of two moments contradicts no game on its own")
}

// coda is a part of a history in which nothing meddles and one call follows the
// other, so that each has one right answer. Its fields are places in the history.
type coda struct {
	history []porcupine.Operation

	first, seenFirst, second, seenSecond  int
	stop, stopAgain, guarded, seenStopped int
	long, last                            int
	before, middle, after                 standings // that the long list could have told
}

func (c *coda) answer(place int) linearAnswer { return c.history[place].Output.(linearAnswer) }

func (c *coda) set(place int, answer linearAnswer) { c.history[place].Output = answer }

// shows changes what an answer says of the first game.
func (c *coda) shows(place int, as standing) {
	answer := c.answer(place)
	answer.seen[0] = as
	c.set(place, answer)
}

func (c *coda) fails(place int, what runtime.Precondition) {
	answer := c.answer(place)
	answer.failed = what
	c.set(place, answer)
}

// removed is what the answer says of the first game, with another status.
func (c *coda) removed(place int) standing {
	as := c.answer(place).seen[0]
	as.status = runtime.StatusRemoved
	return as
}

// lists makes a list tell the first game as of one moment and all others as of
// another.
func (c *coda) lists(place int, first, others standings) {
	others[0] = first[0]
	c.set(place, linearAnswer{verdict: linearDone, seen: others})
}

func (c *coda) doubt(place int) { c.set(place, linearAnswer{verdict: linearUnknown}) }

// forget takes a write out. Its answer does not count any more, so the places
// behind it may move.
func (c *coda) forget(place int) { c.history = slices.Delete(c.history, place, place+1) }

// playCoda adds a coda to what the rig has recorded.
func playCoda(r *linearRig) *coda {
	ctx := within(r.t, patience)
	one, two := r.clients[0], r.clients[linearClients-1]
	upsert := func(client *linearClient, game int) int {
		return client.act(ctx, client.numbered(linearUpsert, linearCall{game: game, to: runtime.StatusRunning, container: "container-1"}))
	}
	update := func(client *linearClient, from, to runtime.Status, guard string) int {
		return client.act(ctx, client.numbered(linearUpdate, linearCall{from: from, to: to, container: guard}))
	}
	get := func(client *linearClient) int { return client.act(ctx, linearCall{verb: linearGet}) }
	list := func(since int64) int { return two.actSince(ctx, since, linearCall{verb: linearList}) }
	listed := func() standings { return r.record.history[list(r.record.now())].Output.(linearAnswer).seen }

	c := &coda{}
	c.first, c.seenFirst = upsert(one, 0), get(two)
	c.second, c.seenSecond = upsert(two, 0), get(one)
	c.stop = update(one, runtime.StatusRunning, runtime.StatusStopped, "container-1")
	c.stopAgain = update(two, runtime.StatusRunning, runtime.StatusStopped, "")
	c.guarded = update(one, runtime.StatusStopped, runtime.StatusRunning, "another")
	c.seenStopped = get(two)

	// the long list is under way while first one game changes and then another
	upsert(one, 1)
	c.before = listed()
	since := r.record.now()
	upsert(one, 0)
	c.middle = listed()
	upsert(one, 1)
	c.after = listed()
	c.long, c.last = list(since), get(one)
	c.history = r.record.history
	return c
}
