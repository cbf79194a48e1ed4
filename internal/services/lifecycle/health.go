package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
)

// How often a game that is coming up is asked how it is.
const (
	firstProbe = 20 * time.Millisecond
	lastProbe  = 500 * time.Millisecond
)

// awaitHealth returns nil once the game is well: it answers its health check, or
// runs for a while where it has none. It is runtime.ErrStartFailed when the
// container exits first, or is not well in time.
func (r *execution) awaitHealth(ctx context.Context, containerID string) error {
	spec := r.op().Spec.WithDefaults()
	began := time.Now()
	var last error
	for pause := firstProbe; ; pause = min(2*pause, lastProbe) {
		c, err := r.service.Engine.Inspect(ctx, containerID)
		switch {
		case errors.Is(err, container.ErrNoContainer):
			return fmt.Errorf("%w: its container vanished", operation.ErrStartFailed)
		case err != nil:
			return err
		case c.State == container.StateUnknown:
			return fmt.Errorf("%w: it cannot say what container %s does", container.ErrEngineUnavailable, containerID)
		case c.State == container.StateExited || c.State == container.StateCreated:
			return r.earlyExitError(ctx, c)
		}
		if !spec.HasHealthCheck() {
			if time.Since(began) >= r.service.cfg.MinUptime {
				return nil
			}
		} else if last = r.service.Prober.Probe(ctx, c.Endpoint+spec.HealthPath); last == nil {
			return nil
		} else if time.Since(began) > time.Duration(spec.HealthTimeout) {
			return fmt.Errorf("%w: not healthy within %s: %s%s", operation.ErrStartFailed, time.Duration(spec.HealthTimeout), last.Error(), r.logTail(ctx, containerID))
		} else if pause == lastProbe {
			r.report(operation.Progress{Text: "waiting for health: " + last.Error()})
		}
		r.wait(ctx, pause)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
