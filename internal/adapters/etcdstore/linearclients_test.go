package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// linearRecorder keeps what every client has asked and been told, and when.
type linearRecorder struct {
	began time.Time

	mu      sync.Mutex
	history []porcupine.Operation
	tally   map[string]int // of all operations, also those that are not in history
}

func newLinearRecorder() *linearRecorder {
	return &linearRecorder{began: time.Now(), tally: map[string]int{}}
}

// now is monotonic, the same clock for all clients.
func (r *linearRecorder) now() int64 { return int64(time.Since(r.began)) }

// add returns the place of the operation in the history.
func (r *linearRecorder) add(op porcupine.Operation) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history = append(r.history, op)
	return len(r.history) - 1
}

func (r *linearRecorder) count(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally["operations"]++
	r.tally[what]++
}

// linearClient makes one call after the other through one of the stores.
type linearClient struct {
	t      *testing.T
	id     int
	of     int // how many clients there are
	store  *etcdstore.Store
	rng    *rand.Rand
	record *linearRecorder
	writes int
	known  standings // what the client saw last of each game
}

func (c *linearClient) run(operations int) {
	for range operations {
		ctx, leave := c.waits()
		c.act(ctx, c.choose())
		leave()
	}
}

// leaveKey finds the function that ends the caller's wait, so that a fault can
// choose the moment.
type leaveKey struct{}

// waits returns how long the client waits for the next call: mostly for ever.
func (c *linearClient) waits() (context.Context, context.CancelFunc) {
	ctx, leave := context.WithCancel(c.t.Context())
	if c.rng.IntN(12) == 0 {
		ctx, leave = context.WithTimeout(c.t.Context(), time.Duration(c.rng.IntN(8_000))*time.Microsecond)
	}
	return context.WithValue(ctx, leaveKey{}, leave), leave
}

func (c *linearClient) choose() linearCall {
	call := linearCall{game: c.rng.IntN(linearGames)}
	switch fate := c.rng.IntN(20); {
	case fate < 5:
		call.verb = linearGet
	case fate < 7:
		call.verb = linearList
	case fate < 8:
		call.verb, call.to = linearListByStatus, c.pick(runtime.Statuses())
	case fate < 12:
		return c.chooseUpsert(call)
	default:
		return c.chooseUpdate(call)
	}
	return call
}

func (c *linearClient) pick(statuses []runtime.Status) runtime.Status {
	return statuses[c.rng.IntN(len(statuses))]
}

// chooseUpsert prefers what an update can go on from.
func (c *linearClient) chooseUpsert(call linearCall) linearCall {
	running := runtime.StatusRunning
	call.to = c.pick([]runtime.Status{running, running, runtime.StatusStopped, runtime.StatusRemoved})
	if call.to != runtime.StatusRemoved {
		call.container = fmt.Sprint("container-", c.rng.IntN(3))
	}
	return c.numbered(linearUpsert, call)
}

// chooseUpdate mostly expects what the client saw last, which others may have
// changed meanwhile.
func (c *linearClient) chooseUpdate(call linearCall) linearCall {
	moves := [][2]runtime.Status{
		{runtime.StatusRunning, runtime.StatusStopped}, {runtime.StatusStopped, runtime.StatusRunning},
		{runtime.StatusRunning, runtime.StatusStopped}, {runtime.StatusStopped, runtime.StatusRunning},
		{runtime.StatusRunning, runtime.StatusRemoved}, {runtime.StatusStopped, runtime.StatusRemoved},
	}
	move := moves[c.rng.IntN(len(moves))]
	known := c.known[call.game]
	for known.status != "" && known.status != runtime.StatusRemoved && move[0] != known.status {
		move = moves[c.rng.IntN(len(moves))]
	}
	call.from, call.to = move[0], move[1]
	switch c.rng.IntN(6) {
	case 0, 1, 2:
		call.container = known.container
	case 3:
		call.container = fmt.Sprint("container-", c.rng.IntN(3))
	}
	return c.numbered(linearUpdate, call)
}

// numbered makes the call a write, with a number that no other has.
func (c *linearClient) numbered(verb linearVerb, call linearCall) linearCall {
	c.writes++
	call.verb, call.number = verb, c.writes*c.of+c.id
	return call
}

// act makes the call, records it, and returns its place in the history, or -1
// for one that changed and showed nothing: a read that failed, or a write that
// the store says did not happen and never will.
func (c *linearClient) act(ctx context.Context, call linearCall) int {
	return c.actSince(ctx, c.record.now(), call)
}

// actSince is act for a call that was on its way already.
func (c *linearClient) actSince(ctx context.Context, called int64, call linearCall) int {
	answer, err := c.ask(ctx, call)
	returned := c.record.now()
	switch {
	case err == nil:
	case errors.Is(err, runtime.ErrOutcomeUnknown):
		answer.verdict = linearUnknown
	case errors.Is(err, runtime.ErrUnavailable):
		c.record.count("unavailable")
		return -1
	default:
		// a write that may have been sent would be of unknown outcome
		c.record.count("left")
		if left := ctx.Err(); assert.Error(c.t, left, "%v: an error that nothing explains: %v", call, err) {
			assert.ErrorIs(c.t, err, left, "%v: an error that nothing explains", call)
		}
		return -1
	}
	c.record.count(strings.TrimSpace(fmt.Sprint(answer.verdict, " ", answer.failed)))
	for game, one := range answer.seen {
		if one != (standing{}) {
			c.known[game] = one
		}
	}
	return c.record.add(porcupine.Operation{ClientId: c.id, Input: call, Output: answer, Call: called, Return: returned})
}

func (c *linearClient) ask(ctx context.Context, call linearCall) (linearAnswer, error) {
	switch call.verb {
	case linearGet:
		rec, err := c.store.Get(ctx, linearGameID(call.game))
		if errors.Is(err, runtime.ErrNotFound) {
			return linearAnswer{verdict: linearDone}, nil
		}
		return c.saw([]runtime.RuntimeRecord{rec}, err)
	case linearList:
		return c.saw(c.store.List(ctx))
	case linearListByStatus:
		return c.saw(c.store.ListByStatus(ctx, call.to))
	case linearUpsert:
		return linearAnswer{verdict: linearDone}, c.store.Upsert(ctx, call.record())
	default:
		return c.told(call, c.store.UpdateStatus(ctx, ports.UpdateStatusInput{
			GameID: linearGameID(call.game), ExpectedFrom: call.from, ExpectedContainerID: call.container,
			To: call.to, Now: linearInstant(call.number),
		}))
	}
}

func (c *linearClient) saw(records []runtime.RuntimeRecord, err error) (linearAnswer, error) {
	answer := linearAnswer{verdict: linearDone}
	if err != nil {
		return answer, err
	}
	for _, rec := range records {
		game, err := strconv.Atoi(strings.TrimPrefix(rec.GameID, "game-"))
		if !assert.NoError(c.t, err, "a game that nobody wrote: %q", rec.GameID) {
			continue
		}
		assert.Zero(c.t, answer.seen[game], "%s is listed twice", rec.GameID)
		answer.seen[game] = standingOf(rec)
	}
	return answer, nil
}

// told reads the outcome of an update.
func (c *linearClient) told(call linearCall, err error) (linearAnswer, error) {
	if errors.Is(err, runtime.ErrNotFound) {
		return linearAnswer{verdict: linearAbsent}, nil
	}
	conflict, found := errors.AsType[*runtime.ConflictError](err)
	if !found {
		return linearAnswer{verdict: linearDone}, err
	}
	answer := linearAnswer{verdict: linearConflict, failed: conflict.Precondition}
	answer.seen[call.game] = standingOf(conflict.Current)
	expected, actual := string(call.from), string(conflict.Current.Status)
	if conflict.Precondition == runtime.PreconditionContainerID {
		expected, actual = call.container, conflict.Current.CurrentContainerID
	}
	assert.Equal(c.t, []string{linearGameID(call.game), expected, actual}, []string{conflict.GameID, conflict.Expected, conflict.Actual}, "%v: the conflict contradicts its record", call)
	return answer, nil
}

func linearGameID(game int) string { return fmt.Sprint("game-", game) }

// linearInstant is the instant that names a write in last_op_at.
func linearInstant(number int) time.Time {
	return time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(number) * time.Millisecond)
}

// record is what an upsert writes; the image names it.
func (c linearCall) record() runtime.RuntimeRecord {
	at := linearInstant(c.number)
	rec := runningRecord(linearGameID(c.game))
	rec.Status, rec.CurrentContainerID, rec.LastOpAt = c.to, c.container, at
	rec.CurrentImageRef = strconv.Itoa(c.number)
	if c.to != runtime.StatusRunning {
		rec.StoppedAt = &at
	}
	if c.to == runtime.StatusRemoved {
		rec.RemovedAt = &at
	}
	return rec
}

// standingOf is what the record tells; a number that cannot be read is none that
// was ever written.
func standingOf(rec runtime.RuntimeRecord) standing {
	number, err := strconv.Atoi(rec.CurrentImageRef)
	if err != nil {
		number = -1
	}
	return standing{
		status: rec.Status, container: rec.CurrentContainerID,
		upsert: number, last: int(rec.LastOpAt.Sub(linearInstant(0)) / time.Millisecond),
	}
}
