package traffic

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
	"galaxy/rtmanager/internal/wait"
)

// maxTries is how often a client sends a write whose outcome is unknown, with one operation id.
const maxTries = 4

// readerFactor is how many times as often a reader calls as other clients.
const readerFactor = 10

// client makes one call of the record store after the other.
type client struct {
	t      *Traffic
	name   string
	target target
	id     int // unique among the clients of a run
	// isReader makes it read only, one record at a time, and more often.
	isReader bool
	// isInBursts makes it write only, at the same moments as others.
	isInBursts bool
	rng        *rand.Rand
	writes     int
	seen       map[string]seenRecord // what the client saw last of each game
	decided    decisions
}

// seenRecord is what a client saw of a game.
type seenRecord struct {
	status, containerID string
	revision            int64
}

func (c *client) run(ctx context.Context) {
	c.runTraffic(ctx)
	c.confirmRecovery()
}

func (c *client) runTraffic(ctx context.Context) {
	mean := c.t.cfg.Pause
	if c.isReader {
		mean /= readerFactor
	}
	for pause(ctx, c.rng, mean) {
		if c.isInBursts && !waitForBurst(ctx) {
			return
		}
		call := c.choose()
		for try := 1; ; try++ {
			result := call
			c.do(ctx, &result)
			isRetried := result.Method.IsWrite() && result.Outcome == recording.Unknown && try < maxTries && c.rng.IntN(3) > 0
			if !isRetried || !pause(ctx, c.rng, c.t.cfg.Pause) {
				break
			}
		}
	}
}

// burstInterval is the time between two bursts.
const burstInterval = 400 * time.Millisecond

// waitForBurst waits for the next burst. It reports false when ctx has ended.
func waitForBurst(ctx context.Context) bool {
	now := time.Now()
	return wait.For(ctx, now.Truncate(burstInterval).Add(burstInterval).Sub(now)) == nil
}

// do makes the call and records it. A call that ctx ends is one of unknown outcome.
func (c *client) do(ctx context.Context, call *recording.Call) {
	call.Client, call.Started = c.name, c.t.record.Now()
	defer c.t.start(c.name, call)()
	callCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout())
	defer cancel()
	c.target.call(callCtx, call)
	call.Returned = c.t.record.Now()
	c.t.record.Call(*call)
	c.note(call)
	c.decided.add(call)
}

// timeout returns how long the client waits for the next call: mostly until there is a response.
func (c *client) timeout() time.Duration {
	if c.rng.IntN(30) == 0 {
		return time.Duration(c.rng.IntN(int(50 * time.Millisecond)))
	}
	return c.t.cfg.CallTimeout
}

// note keeps what the call has shown of its game.
func (c *client) note(call *recording.Call) {
	for _, item := range call.Items {
		c.seen[item.Game] = seenRecord{item.Status, item.ContainerID, item.Revision}
	}
	switch {
	case call.Outcome == recording.NotFound || call.Method == recording.Delete && call.Outcome == recording.Done:
		delete(c.seen, call.Game)
	case len(call.Output) > 0:
		if shown, err := decodeRecord(call.Output); err == nil {
			c.seen[call.Game] = seenRecord{shown.Status, shown.ContainerID, call.Revision}
		}
	}
}

// operationID returns an id that no other write of the run has.
func (c *client) operationID() string {
	c.writes++
	return fmt.Sprintf("%s-%d-%d", c.t.cfg.Run, c.id, c.writes)
}
