package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/wait"
)

// The delay between two probes of a starting game doubles from the first to the last.
const (
	firstProbeDelay = 20 * time.Millisecond
	lastProbeDelay  = 500 * time.Millisecond
)

// storeHealthStepAfter is how long a start has waited for its health check when it stores the step. Most games are
// healthy before, which saves a round trip to the store.
const storeHealthStepAfter = time.Second

// awaitHealth returns nil once the game is healthy: its health check passes, or it has
// run for MinUptime if it has none. It returns operation.ErrStartFailed if the container
// exits first or the health timeout ends.
func (e *execution) awaitHealth(ctx context.Context, containerID string) error {
	spec := e.op().Spec.WithDefaults()
	check, timeout := spec.HealthCheck(), healthTimeout(spec)
	startedAt := time.Now()
	for delay := firstProbeDelay; ; delay = min(2*delay, lastProbeDelay) {
		if e.isStepUnstored && time.Since(startedAt) >= storeHealthStepAfter {
			if err := e.storeIntent(ctx, e.intent.Intent.Clone()); err != nil {
				return err
			}
		}
		c, err := e.inspectStarted(ctx, containerID)
		if err != nil {
			return err
		}
		if !spec.HasHealthCheck() {
			if time.Since(startedAt) >= e.service.cfg.MinUptime {
				return nil
			}
		} else if err = e.probe(ctx, check, c); err == nil {
			return nil
		} else if e.remaining(timeout) == 0 {
			return fmt.Errorf("%w: not healthy within %s: %s%s", operation.ErrStartFailed, timeout, err.Error(), e.logTail(ctx, containerID))
		} else if delay == lastProbeDelay {
			e.report(operation.Progress{Text: "waiting for health: " + err.Error()})
		}
		if err := wait.For(ctx, delay); err != nil {
			return err
		}
	}
}

// healthTimeout returns how long a start waits for the health check to pass.
func healthTimeout(spec operation.Spec) time.Duration {
	return time.Duration(spec.WithDefaults().HealthTimeout + spec.Health.StartDelay)
}

// probe checks the health of a running container once. A heartbeat of an earlier run does not
// count.
func (e *execution) probe(ctx context.Context, check operation.HealthCheck, c container.Container) error {
	target, isKnown := check.Target(e.service.healthSource(c))
	switch {
	case !isKnown && check.Kind == operation.HealthKindHeartbeat:
		return errors.New("the game has no state directory on this node, which its heartbeat needs")
	case !isKnown && check.Port != "" && c.Endpoint != "":
		return fmt.Errorf("the container has no port %q", check.Port)
	case !isKnown:
		return errors.New("the container has no endpoint yet")
	case c.StartedAt != nil:
		target.Since = *c.StartedAt
	}
	return e.service.deps.Prober.Probe(ctx, target)
}

// healthSource returns what a health check of the container uses.
func (s *Service) healthSource(c container.Container) operation.HealthSource {
	return operation.HealthSource{
		ContainerID: c.ID, Endpoint: c.Endpoint, StatePath: c.StatePath, Ports: c.Ports, HasContainerAddress: s.cfg.HasContainerAddresses,
	}
}
