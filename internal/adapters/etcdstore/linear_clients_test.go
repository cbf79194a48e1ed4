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
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// linearRecorder records every call with its result and times.
type linearRecorder struct {
	start time.Time

	mu      sync.Mutex
	history []porcupine.Operation
	tally   map[string]int // of all operations, also those that are not in history
}

func newLinearRecorder() *linearRecorder {
	return &linearRecorder{start: time.Now(), tally: map[string]int{}}
}

// now is monotonic, the same clock for all clients.
func (r *linearRecorder) now() int64 { return int64(time.Since(r.start)) }

// add returns the position of the operation in the history.
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
	t         *testing.T
	id        int
	clients   int // how many clients there are
	store     *etcdstore.Store
	rng       *rand.Rand
	record    *linearRecorder
	writes    int
	delivered modelState // what the client saw last of each game
}

func (c *linearClient) run(operations int) {
	for range operations {
		ctx, cancel := c.callContext()
		c.do(ctx, c.choose())
		cancel()
	}
}

// cancelKey is the context key of the function that cancels the caller, so that a fault
// can choose when.
type cancelKey struct{}

// callContext returns the context of the next call: mostly without a deadline.
func (c *linearClient) callContext() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(c.t.Context())
	if c.rng.IntN(12) == 0 {
		ctx, cancel = context.WithTimeout(c.t.Context(), time.Duration(c.rng.IntN(8_000))*time.Microsecond)
	}
	return context.WithValue(ctx, cancelKey{}, cancel), cancel
}

func (c *linearClient) choose() linearCall {
	call := linearCall{game: c.rng.IntN(linearGames)}
	switch roll := c.rng.IntN(20); {
	case roll < 5:
		call.method = linearGet
	case roll < 7:
		call.method = linearList
	case roll < 8:
		call.method, call.to = linearListByStatus, c.choice(runtime.Statuses())
	case roll < 12:
		return c.chooseUpsert(call)
	case roll < 14:
		return c.numberWrite(linearDelete, call)
	default:
		return c.chooseUpdate(call)
	}
	return call
}

func (c *linearClient) choice(statuses []runtime.Status) runtime.Status {
	return statuses[c.rng.IntN(len(statuses))]
}

// chooseUpsert prefers statuses that an update can continue from.
func (c *linearClient) chooseUpsert(call linearCall) linearCall {
	running := runtime.StatusRunning
	call.to = c.choice([]runtime.Status{running, running, runtime.StatusStopped, runtime.StatusRemoved})
	if call.to != runtime.StatusRemoved {
		call.container = fmt.Sprint("container-", c.rng.IntN(3))
	}
	return c.numberWrite(linearUpsert, call)
}

// chooseUpdate mostly expects what the client saw last, which others may have changed.
func (c *linearClient) chooseUpdate(call linearCall) linearCall {
	moves := [][2]runtime.Status{
		{runtime.StatusRunning, runtime.StatusStopped}, {runtime.StatusStopped, runtime.StatusRunning},
		{runtime.StatusRunning, runtime.StatusStopped}, {runtime.StatusStopped, runtime.StatusRunning},
		{runtime.StatusRunning, runtime.StatusRemoved}, {runtime.StatusStopped, runtime.StatusRemoved},
	}
	move := moves[c.rng.IntN(len(moves))]
	delivered := c.delivered[call.game]
	for delivered.status != "" && delivered.status != runtime.StatusRemoved && move[0] != delivered.status {
		move = moves[c.rng.IntN(len(moves))]
	}
	call.from, call.to = move[0], move[1]
	switch c.rng.IntN(6) {
	case 0, 1, 2:
		call.container = delivered.container
	case 3:
		call.container = fmt.Sprint("container-", c.rng.IntN(3))
	}
	return c.numberWrite(linearUpdate, call)
}

// numberWrite makes the call a write with a number of its own.
func (c *linearClient) numberWrite(method linearMethod, call linearCall) linearCall {
	c.writes++
	call.method, call.number = method, c.writes*c.clients+c.id
	return call
}

// do makes the call, records it, and returns its position in the history. It returns -1
// for a call that changed and returned nothing: a read that failed, or a write that,
// as the store reports, is not applied and never will be.
func (c *linearClient) do(ctx context.Context, call linearCall) int {
	return c.doSince(ctx, c.record.now(), call)
}

// doSince is do for a call that started earlier.
func (c *linearClient) doSince(ctx context.Context, called int64, call linearCall) int {
	result, err := c.call(ctx, call)
	returned := c.record.now()
	switch {
	case err == nil:
	case errors.Is(err, runtime.ErrOutcomeUnknown):
		result.outcome = linearUnknown
	case errors.Is(err, runtime.ErrUnavailable):
		c.record.count("unavailable")
		return -1
	default:
		// a write that may have been sent would be of unknown outcome
		c.record.count("left")
		if callerErr := ctx.Err(); assert.Error(c.t, callerErr, "%v: unexplained error: %v", call, err) {
			assert.ErrorIs(c.t, err, callerErr, "%v: unexplained error", call)
		}
		return -1
	}
	c.record.count(strings.TrimSpace(fmt.Sprint(result.outcome, " ", result.failed)))
	for game, one := range result.seen {
		if one != (gameState{}) {
			c.delivered[game] = one
		}
	}
	return c.record.add(porcupine.Operation{ClientId: c.id, Input: call, Output: result, Call: called, Return: returned})
}

func (c *linearClient) call(ctx context.Context, call linearCall) (linearResult, error) {
	switch call.method {
	case linearGet:
		rec, err := c.store.Get(ctx, linearGameID(call.game))
		if errors.Is(err, runtime.ErrNotFound) {
			return linearResult{outcome: linearDone}, nil
		}
		return c.listResult([]runtime.RuntimeRecord{rec}, err)
	case linearList:
		return c.listResult(c.store.List(ctx))
	case linearListByStatus:
		return c.listResult(c.store.ListByStatus(ctx, call.to))
	case linearUpsert:
		return linearResult{outcome: linearDone}, c.store.Upsert(ctx, call.record())
	case linearDelete:
		return deletionResult(c.store.Delete(ctx, ports.DeleteInput{GameID: linearGameID(call.game)}))
	default:
		return c.updateResult(call, c.store.UpdateStatus(ctx, ports.UpdateStatusInput{
			GameID: linearGameID(call.game), ExpectedFrom: call.from, ExpectedContainerID: call.container,
			To: call.to, Now: linearTime(call.number),
		}))
	}
}

// deletionResult decodes the result of a deletion.
func deletionResult(err error) (linearResult, error) {
	if errors.Is(err, runtime.ErrNotFound) {
		return linearResult{outcome: linearAbsent}, nil
	}
	if rejected, ok := errors.AsType[*operation.RejectedError](err); ok {
		return linearResult{outcome: linearRejected, status: rejected.Status}, nil
	}
	return linearResult{outcome: linearDone}, err
}

func (c *linearClient) listResult(records []runtime.RuntimeRecord, err error) (linearResult, error) {
	result := linearResult{outcome: linearDone}
	if err != nil {
		return result, err
	}
	for _, rec := range records {
		game, err := strconv.Atoi(strings.TrimPrefix(rec.GameID, "game-"))
		if !assert.NoError(c.t, err, "a game that no client wrote: %q", rec.GameID) {
			continue
		}
		assert.Zero(c.t, result.seen[game], "%s is listed twice", rec.GameID)
		result.seen[game] = stateOf(rec)
	}
	return result, nil
}

// updateResult decodes the result of an update.
func (c *linearClient) updateResult(call linearCall, err error) (linearResult, error) {
	if errors.Is(err, runtime.ErrNotFound) {
		return linearResult{outcome: linearAbsent}, nil
	}
	conflict, found := errors.AsType[*runtime.ConflictError](err)
	if !found {
		return linearResult{outcome: linearDone}, err
	}
	result := linearResult{outcome: linearConflict, failed: conflict.Precondition}
	result.seen[call.game] = stateOf(conflict.Current)
	expected, actual := string(call.from), string(conflict.Current.Status)
	if conflict.Precondition == runtime.PreconditionContainerID {
		expected, actual = call.container, conflict.Current.CurrentContainerID
	}
	assert.Equal(c.t, []string{linearGameID(call.game), expected, actual}, []string{conflict.GameID, conflict.Expected, conflict.Actual}, "%v: the conflict contradicts its record", call)
	return result, nil
}

func linearGameID(game int) string { return fmt.Sprint("game-", game) }

// linearTime is the timestamp that identifies a write in last_op_at.
func linearTime(number int) time.Time {
	return time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(number) * time.Millisecond)
}

// record returns the record of an upsert; the image identifies it.
func (c linearCall) record() runtime.RuntimeRecord {
	at := linearTime(c.number)
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

// stateOf returns the state of a record; a number that cannot be parsed belongs to no
// write.
func stateOf(rec runtime.RuntimeRecord) gameState {
	number, err := strconv.Atoi(rec.CurrentImageRef)
	if err != nil {
		number = -1
	}
	return gameState{
		status: rec.Status, container: rec.CurrentContainerID,
		upsert: number, last: int(rec.LastOpAt.Sub(linearTime(0)) / time.Millisecond),
	}
}
