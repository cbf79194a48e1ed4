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

// TestLinearizabilityCheckerRejects changes a recorded history in ways that a wrong store
// could produce, and requires that each is rejected.
func TestLinearizabilityCheckerRejects(t *testing.T) {
	t.Parallel()
	r := workWithoutUnknownDeletion(t)
	c := runFinalCalls(r)
	r.requireLinearizable("unchanged")

	stateAt := func(place int) gameState { return c.result(place).seen[0] }
	for name, corrupt := range map[string]func(){
		"a stale read":                       func() { c.showFirst(c.seenSecond, stateAt(c.seenFirst)) },
		"a read of a later write":            func() { c.showFirst(c.seenFirst, stateAt(c.seenSecond)) },
		"a read of an unwritten state":       func() { c.showFirst(c.seenSecond, gameState{status: runtime.StatusRunning, upsert: -1, last: -1}) },
		"a missing game":                     func() { c.showFirst(c.seenSecond, gameState{}) },
		"a lost update":                      func() { c.showFirst(c.seenStopped, stateAt(c.seenSecond)) },
		"a lost upsert":                      func() { c.showFirst(c.last, stateAt(c.seenStopped)) },
		"two winners":                        func() { c.set(c.secondStop, linearResult{outcome: linearDone}) },
		"an update with a wrong guard":       func() { c.set(c.guarded, linearResult{outcome: linearDone}) },
		"an update of an absent game":        func() { c.set(c.stop, linearResult{outcome: linearAbsent}) },
		"a conflict without a cause":         func() { c.set(c.stop, c.result(c.secondStop)) },
		"a conflict with an old state":       func() { c.showFirst(c.secondStop, stateAt(c.seenSecond)) },
		"a conflict with an unwritten state": func() { c.showFirst(c.secondStop, c.asRemoved(c.secondStop)) },
		"a conflict on another field":        func() { c.setPrecondition(c.secondStop, runtime.PreconditionContainerID) },
		"a list of two times":                func() { c.setList(c.long, c.before, c.after) },
		"a write that is not recorded":       func() { c.remove(c.second) },
		"an unknown write applied twice":     func() { c.setUnknown(c.first); c.showFirst(c.seenStopped, stateAt(c.seenFirst)) },
		"an unknown write seen and lost":     func() { c.setUnknown(c.stop); c.showFirst(c.seenStopped, stateAt(c.seenSecond)) },
		"a deletion of a running game":       func() { c.set(c.rejected, linearResult{outcome: linearDone}) },
		"a deletion of no game":              func() { c.set(c.deleted, linearResult{outcome: linearAbsent}) },
		"a rejected deletion of no game":     func() { c.set(c.secondDeletion, c.result(c.rejected)) },
		"a deleted game that is seen":        func() { c.showFirst(c.seenDeleted, stateAt(c.seenRemoved)) },
		"a deletion that is not recorded":    func() { c.remove(c.deleted) },
		"a deleted game that returns":        func() { c.showFirst(c.seenAbsent, stateAt(c.seenRemoved)) },
	} {
		c.history = slices.Clone(r.record.history)
		corrupt()
		require.Equal(t, porcupine.Illegal, checkHistory(c.history), "%s is accepted", name)
	}
	c.requireAccepted(t, r.record.history)
}

// workWithoutUnknownDeletion returns a fixture that has worked under faults. An unknown deletion may
// be applied at any later time, and so would explain a final call that finds no game.
func workWithoutUnknownDeletion(t *testing.T) *linearFixture {
	t.Helper()
	for {
		seed := rand.Uint64N(1 << 53)
		t.Logf("seed %d", seed)
		r := newLinearFixture(t, etcdstore.Options{}, seed)
		r.work(40)
		r.finish()
		isUnknownDeletion := func(o porcupine.Operation) bool {
			return o.Input.(linearCall).method == linearDelete && o.Output.(linearResult).outcome == linearUnknown
		}
		if !slices.ContainsFunc(r.record.history, isUnknownDeletion) {
			return r
		}
	}
}

// requireAccepted makes changes to the history that a correct store could have produced.
func (c *finalCalls) requireAccepted(t *testing.T, history []porcupine.Operation) {
	t.Helper()
	for name, corrupt := range map[string]func(){
		"the list at its call":          func() { c.setList(c.long, c.before, c.before) },
		"the list between the writes":   func() { c.setList(c.long, c.middle, c.middle) },
		"the list at its return":        func() { c.setList(c.long, c.after, c.after) },
		"an unknown write that is seen": func() { c.setUnknown(c.second) },
		"an unknown write, not applied": func() { c.setUnknown(c.secondStop) },
		"an unknown deletion":           func() { c.setUnknown(c.deleted) },
		"a deletion of a deleted game":  func() { c.set(c.secondDeletion, linearResult{outcome: linearDone}) },
	} {
		c.history = slices.Clone(history)
		corrupt()
		require.Equal(t, porcupine.Ok, checkHistory(c.history), "%s is rejected", name)
	}
	c.history = slices.Clone(history)
	c.setList(c.long, c.before, c.after)
	require.Empty(t, contradictions(c.history), "a list of two times contradicts no single game")
}

// finalCalls is a part of a history without faults, in which one call follows the other,
// so that each has one correct result. Its fields are positions in the history.
type finalCalls struct {
	history []porcupine.Operation

	first, seenFirst, second, seenSecond   int
	stop, secondStop, guarded, seenStopped int
	long, last                             int
	before, middle, after                  modelState // that the long list could have returned

	rejected, seenRemoved, deleted, seenDeleted, secondDeletion, seenAbsent int
}

func (c *finalCalls) result(place int) linearResult { return c.history[place].Output.(linearResult) }

func (c *finalCalls) set(place int, result linearResult) { c.history[place].Output = result }

// showFirst changes the state of the first game in a result.
func (c *finalCalls) showFirst(place int, as gameState) {
	result := c.result(place)
	result.seen[0] = as
	c.set(place, result)
}

func (c *finalCalls) setPrecondition(place int, what runtime.Precondition) {
	result := c.result(place)
	result.failed = what
	c.set(place, result)
}

// asRemoved returns the first game of a result, with another status.
func (c *finalCalls) asRemoved(place int) gameState {
	as := c.result(place).seen[0]
	as.status = runtime.StatusRemoved
	return as
}

// setList makes a list return the first game as of one time and all others as of another.
func (c *finalCalls) setList(place int, first, others modelState) {
	others[0] = first[0]
	c.set(place, linearResult{outcome: linearDone, seen: others})
}

func (c *finalCalls) setUnknown(place int) { c.set(place, linearResult{outcome: linearUnknown}) }

// remove removes an operation. Its result does not matter any more, so later positions
// may change.
func (c *finalCalls) remove(place int) { c.history = slices.Delete(c.history, place, place+1) }

// runFinalCalls adds the final calls to the recorded history.
func runFinalCalls(r *linearFixture) *finalCalls {
	ctx := within(r.t, testTimeout)
	one, two := r.clients[0], r.clients[linearClients-1]
	upsert := func(client *linearClient, game int) int {
		return client.do(ctx, client.numberWrite(linearUpsert, linearCall{game: game, to: runtime.StatusRunning, container: "container-1"}))
	}
	update := func(client *linearClient, from, to runtime.Status, guard string) int {
		return client.do(ctx, client.numberWrite(linearUpdate, linearCall{from: from, to: to, container: guard}))
	}
	get := func(client *linearClient) int { return client.do(ctx, linearCall{method: linearGet}) }
	list := func(since int64) int { return two.doSince(ctx, since, linearCall{method: linearList}) }
	listed := func() modelState { return r.record.history[list(r.record.now())].Output.(linearResult).seen }

	c := &finalCalls{}
	c.first, c.seenFirst = upsert(one, 0), get(two)
	c.second, c.seenSecond = upsert(two, 0), get(one)
	c.stop = update(one, runtime.StatusRunning, runtime.StatusStopped, "container-1")
	c.secondStop = update(two, runtime.StatusRunning, runtime.StatusStopped, "")
	c.guarded = update(one, runtime.StatusStopped, runtime.StatusRunning, "another")
	c.seenStopped = get(two)

	// The long list is in progress while first one game changes and then another.
	upsert(one, 1)
	c.before = listed()
	since := r.record.now()
	upsert(one, 0)
	c.middle = listed()
	upsert(one, 1)
	c.after = listed()
	c.long, c.last = list(since), get(one)

	remove := func(client *linearClient) int { return client.do(ctx, client.numberWrite(linearDelete, linearCall{})) }
	c.rejected = remove(one)
	update(one, runtime.StatusRunning, runtime.StatusRemoved, "")
	c.seenRemoved, c.deleted, c.seenDeleted = get(two), remove(two), get(one)
	c.secondDeletion, c.seenAbsent = remove(one), get(two)
	c.history = r.record.history
	return c
}
