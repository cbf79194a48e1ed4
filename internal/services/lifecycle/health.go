package lifecycle

import (
	"context"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/wait"
)

// The delay between two probes of a starting game doubles from the first to the last.
const (
	firstProbeDelay = 20 * time.Millisecond
	lastProbeDelay  = 500 * time.Millisecond
)

// awaitHealth returns nil once the game is healthy: its health check passes, or it has
// run for MinUptime if it has none. It returns operation.ErrStartFailed if the container
// exits first or the health timeout ends.
func (e *execution) awaitHealth(ctx context.Context, containerID string) error {
	spec := e.op().Spec.WithDefaults()
	startedAt := time.Now()
	for delay := firstProbeDelay; ; delay = min(2*delay, lastProbeDelay) {
		c, err := e.inspectStarted(ctx, containerID)
		if err != nil {
			return err
		}
		if !spec.HasHealthCheck() {
			if time.Since(startedAt) >= e.service.cfg.MinUptime {
				return nil
			}
		} else if err = e.service.deps.Prober.Probe(ctx, c.Endpoint+spec.HealthPath); err == nil {
			return nil
		} else if e.remaining(time.Duration(spec.HealthTimeout)) == 0 {
			return fmt.Errorf("%w: not healthy within %s: %s%s", operation.ErrStartFailed, time.Duration(spec.HealthTimeout), err.Error(), e.logTail(ctx, containerID))
		} else if delay == lastProbeDelay {
			e.report(operation.Progress{Text: "waiting for health: " + err.Error()})
		}
		if err := wait.For(ctx, delay); err != nil {
			return err
		}
	}
}
