package lifecycle

import (
	"context"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/gameports"
	"galaxy/rtmanager/internal/wait"
)

// A port of a container that has just exited can be in use for a moment.
const (
	portChecks     = 20
	portCheckDelay = 50 * time.Millisecond
)

// hasTakenPorts reports whether another program uses a port that the engine has chosen for a
// container that does not run. A new container of the game gets another port.
func hasTakenPorts(ctx context.Context, c container.Container, spec operation.Spec) bool {
	if c.ID == "" || c.State == container.StateRunning || c.State == container.StateUnknown {
		return false
	}
	return slices.ContainsFunc(c.ReservedPorts, func(p runtime.Port) bool {
		isChosen := slices.ContainsFunc(spec.Ports, func(s operation.PortSpec) bool { return s.Name == p.Name && s.Port == 0 })
		return isChosen && isTaken(ctx, gameports.Key{Protocol: p.Protocol, Port: p.Port})
	})
}

// isTaken reports whether the port is in use, and remains so.
func isTaken(ctx context.Context, key gameports.Key) bool {
	for range portChecks {
		if gameports.CheckFree(ctx, key) == nil || wait.For(ctx, portCheckDelay) != nil {
			return false
		}
	}
	return true
}
