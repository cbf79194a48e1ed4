package dockerengine

import (
	"context"
	"fmt"
	"math"
	"time"

	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
)

// maxGrace is as good as for ever, and can be counted with.
const maxGrace = 365 * 24 * time.Hour

// Stop asks the container to exit, waits up to grace, which the engine takes in
// whole seconds and so is rounded up, and then kills it. The engine goes on with
// that even if we do not.
func (e *Engine) Stop(ctx context.Context, containerID string, grace time.Duration) error {
	if err := e.stop(ctx, containerID, grace); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}

func (e *Engine) stop(ctx context.Context, id string, grace time.Duration) error {
	before, err := e.look(ctx, id)
	switch {
	case err != nil:
		return err
	case before.State == container.StateUnknown:
		return fmt.Errorf("%w: it cannot say what container %s does", container.ErrEngineUnavailable, id)
	case before.State != container.StateRunning:
		return nil
	}
	if grace > 0 {
		err = e.askToExit(ctx, id, grace)
	} else {
		err = e.kill(ctx, id)
	}
	if err != nil && !refused(err) {
		return unavailable(err)
	}
	now, lookErr := e.look(ctx, id)
	if lookErr != nil || !sameRun(before, now) {
		return lookErr // a refusal does not matter if it has exited by itself
	}
	if err == nil {
		err = e.wait(ctx, id, mobycontainer.WaitConditionNotRunning)
	}
	return unavailable(err)
}

// sameRun reports whether the container runs, and has not been started anew.
func sameRun(before, now container.Container) bool {
	return now.State == container.StateRunning && sameInstant(before.StartedAt, now.StartedAt)
}

func sameInstant(a, b *time.Time) bool {
	return a == b || a != nil && b != nil && a.Equal(*b)
}

func (e *Engine) askToExit(ctx context.Context, id string, grace time.Duration) error {
	seconds := int(math.Ceil(min(grace, maxGrace).Seconds()))
	limit := time.Duration(seconds)*time.Second + e.cfg.CallTimeout
	_, err := within(ctx, limit, "container "+id, func(ctx context.Context) (client.ContainerStopResult, error) {
		return e.api.ContainerStop(ctx, id, client.ContainerStopOptions{Timeout: &seconds})
	})
	return err
}

// kill kills at once; a stop with a grace of zero would still ask first.
func (e *Engine) kill(ctx context.Context, id string) error {
	_, err := within(ctx, e.cfg.CallTimeout, "container "+id, func(ctx context.Context) (client.ContainerKillResult, error) {
		return e.api.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: "SIGKILL"})
	})
	return err
}

// wait waits until the container is in the condition.
func (e *Engine) wait(ctx context.Context, id string, condition mobycontainer.WaitCondition) error {
	_, err := within(ctx, e.cfg.CallTimeout, "wait for container "+id, func(ctx context.Context) (mobycontainer.WaitResponse, error) {
		waiting := e.api.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: condition})
		// One of the two always comes, an error when ctx ends.
		select {
		case done := <-waiting.Result:
			return done, nil
		case err := <-waiting.Error:
			return mobycontainer.WaitResponse{}, err
		}
	})
	return err
}
