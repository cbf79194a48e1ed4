package dockerengine

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
)

// maxGrace bounds the grace, so that the computation of timeouts does not overflow.
const maxGrace = 365 * 24 * time.Hour

// Stop implements ports.Engine. The engine takes the grace in whole seconds, so it is rounded
// up. The engine completes a stop even if ctx ends.
func (e *Engine) Stop(ctx context.Context, containerID string, grace time.Duration) error {
	if err := e.stop(ctx, containerID, grace); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}

func (e *Engine) stop(ctx context.Context, id string, grace time.Duration) error {
	before, err := e.inspectOwned(ctx, id)
	switch {
	case err != nil:
		return err
	case before.State == container.StateUnknown:
		return fmt.Errorf("%w: it does not report the state of container %s", container.ErrEngineUnavailable, id)
	case before.State != container.StateRunning:
		return nil
	}
	if grace > 0 {
		err = e.stopWithGrace(ctx, id, grace)
		if err == nil {
			e.kills.record(before)
		}
	} else {
		err = e.kill(ctx, id)
	}
	if err != nil && !isEngineError(err) {
		return unavailable(err)
	}
	now, inspectErr := e.inspectOwned(ctx, id)
	if inspectErr != nil || !isSameRun(before, now) {
		return inspectErr // an error of the engine does not matter if the container has exited
	}
	if err == nil {
		err = e.wait(ctx, id, mobycontainer.WaitConditionNotRunning)
	}
	return unavailable(err)
}

// isSameRun reports whether the container runs and has not been restarted since before.
func isSameRun(before, now container.Container) bool {
	return now.State == container.StateRunning && isEqualTime(before.StartedAt, now.StartedAt)
}

// isEqualTime reports whether both times are nil or the same time.
func isEqualTime(a, b *time.Time) bool {
	return a == b || a != nil && b != nil && a.Equal(*b)
}

// stopWithGrace makes the engine stop the container, and kill it after the grace.
func (e *Engine) stopWithGrace(ctx context.Context, id string, grace time.Duration) error {
	seconds := int(math.Ceil(min(grace, maxGrace).Seconds()))
	timeout := time.Duration(seconds)*time.Second + e.cfg.CallTimeout
	_, err := callWithTimeout(ctx, timeout, "container "+id, func(ctx context.Context) (client.ContainerStopResult, error) {
		return e.api.ContainerStop(ctx, id, client.ContainerStopOptions{Timeout: &seconds})
	})
	return err
}

// kill kills the container at once; a stop with grace 0 would send SIGTERM first.
func (e *Engine) kill(ctx context.Context, id string) error {
	_, err := callWithTimeout(ctx, e.cfg.CallTimeout, "container "+id, func(ctx context.Context) (client.ContainerKillResult, error) {
		return e.api.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: "SIGKILL"})
	})
	return err
}

// wait waits until the container is in the condition.
func (e *Engine) wait(ctx context.Context, id string, condition mobycontainer.WaitCondition) error {
	_, err := callWithTimeout(ctx, e.cfg.CallTimeout, "wait for container "+id, func(ctx context.Context) (mobycontainer.WaitResponse, error) {
		result := e.api.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: condition})
		// One of the two channels always receives, Error when ctx ends.
		select {
		case response := <-result.Result:
			return response, nil
		case err := <-result.Error:
			return mobycontainer.WaitResponse{}, err
		}
	})
	return err
}

// stopKills holds the runs that a Stop with grace has ended, by the id of the container. The
// engine does not report whether a stop had to kill: a run that ended with signal 9 was killed by
// that stop. The zero value is empty. It is safe for concurrent use.
type stopKills struct{ runs sync.Map }

// record adds the run that a Stop has ended.
func (s *stopKills) record(c container.Container) {
	if c.StartedAt != nil {
		s.runs.Store(c.ID, *c.StartedAt)
	}
}

// has reports whether a Stop has killed the run of an exited container.
func (s *stopKills) has(c container.Container) bool {
	startedAt, found := s.runs.Load(c.ID)
	return found && c.StartedAt != nil && c.StartedAt.Equal(startedAt.(time.Time)) &&
		c.ExitCode != nil && *c.ExitCode == killedExitCode && !c.OOMKilled
}

func (s *stopKills) remove(id string) { s.runs.Delete(id) }
