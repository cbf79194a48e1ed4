package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/planted"
)

// containerName returns the name of a game's container of one generation. It is the same
// for every attempt to create that container, and differs from every other container's.
func containerName(store, gameID string, generation int64) string {
	slug := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		default:
			return '-'
		}
	}, gameID)
	sum := sha256.Sum256([]byte(store + "\x00" + gameID))
	return fmt.Sprintf("rtm-%.32s-%s-g%d", slug, hex.EncodeToString(sum[:6]), generation)
}

// newContainerSpec returns the spec of the container that the operation creates.
func newContainerSpec(store, gameID string, op operation.Operation) container.Spec {
	spec := op.Spec.WithDefaults()
	return container.Spec{
		Name: containerName(store, gameID, op.Generation),
		Labels: container.Labels{
			Store: store, GameID: gameID, Region: op.Region, Node: op.Node,
			Image: spec.Image, Generation: op.Generation, OperationID: op.ID,
		},
		Args: spec.Args, Env: spec.Env, Secrets: spec.Secrets, Network: spec.Network, Port: spec.Port, ContainerPort: spec.ContainerPort,
		Ports: newContainerPorts(spec.Ports),
		CPUs:  spec.CPUs, MemoryBytes: spec.MemoryBytes, StopSignal: spec.StopSignal,
	}
}

// newContainerPorts returns the ports of players of a new container.
func newContainerPorts(specs []operation.PortSpec) []runtime.Port {
	var ports []runtime.Port
	for _, p := range specs {
		ports = append(ports, runtime.Port{Name: p.Name, Protocol: p.Protocol, ContainerPort: p.ContainerPort, Port: p.Port})
	}
	return ports
}

// pullAndCreate pulls the image and creates the operation's container.
func (e *execution) pullAndCreate(ctx context.Context) error {
	err := e.runStep(ctx, operation.StepPulling, func(ctx context.Context) error {
		pullCtx, cancel := context.WithTimeout(ctx, e.remaining(e.service.cfg.PullTimeout))
		defer cancel()
		provide := e.engine.EnsureImage
		if e.op().Pull {
			provide = e.engine.PullImage
		}
		return provide(pullCtx, e.op().Spec.Image, func(p container.ImageProgress) {
			e.report(operation.Progress{Text: p.Text, BytesDone: p.BytesDone, BytesTotal: p.BytesTotal})
		})
	})
	if err != nil {
		return err
	}
	return e.runUnstoredStep(ctx, operation.StepCreating, func(ctx context.Context) error {
		if e.op().ContainerID != "" {
			return nil
		}
		created, err := e.createContainer(ctx)
		if err != nil {
			return err
		}
		// The next step stores the ID. A daemon that continues before that repeats the
		// creation, and gets the same container by its name and operation ID.
		e.op().ContainerID = created.ID
		return nil
	})
}

// createContainer creates the container. It removes a container with the same name that
// another operation has left, also one of a node that was lost and used the same engine: this
// operation is the only one in progress.
func (e *execution) createContainer(ctx context.Context) (container.Container, error) {
	spec := newContainerSpec(e.service.cfg.Store, e.gameID, *e.op())
	var err error
	if spec.Labels.Secrets, err = e.service.secretVersions(ctx, e.gameID, spec.Secrets); err != nil {
		return container.Container{}, err
	}
	created, err := e.engine.Create(ctx, spec)
	if !errors.Is(err, container.ErrContainerExists) {
		return created, err
	}
	if err := e.removeForeign(ctx); err != nil {
		return created, err
	}
	containers, err := e.engine.List(ctx, e.gameID)
	if err != nil {
		return created, err
	}
	for _, c := range containers {
		if c.Name == spec.Name && !e.isPreviousContainer(c.ID) {
			if err := e.engine.Remove(ctx, c.ID); err != nil {
				return created, err
			}
		}
	}
	return e.engine.Create(ctx, spec)
}

// isPreviousContainer reports whether the record named the container before the
// operation.
func (e *execution) isPreviousContainer(containerID string) bool {
	previous := e.op().PreviousRecord
	return previous != nil && containerID != "" && previous.CurrentContainerID == containerID
}

// stopOtherContainers stops every container of the game on this engine that may be
// running, except one: two would write the same state directory. Others exist if an
// operator changed the record or started a container by hand. It removes those of other
// nodes that use the engine: the game had been on a node that was lost or renamed.
func (e *execution) stopOtherContainers(ctx context.Context, except string) error {
	if err := e.removeForeign(ctx); err != nil {
		return err
	}
	containers, err := e.engine.List(ctx, e.gameID)
	if err != nil {
		return err
	}
	for _, c := range containers {
		if c.ID == except || c.State == container.StateExited || c.State == container.StateCreated {
			continue
		}
		e.service.log.Warn("stopping another live container of the game", "game_id", e.gameID, "container_id", c.ID, "generation", c.Labels.Generation)
		if _, err := e.stopContainer(ctx, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// removeForeign removes the containers of the game that other nodes have created on this engine. The target of
// a move keeps them: the former node of the game, which is present, starts its container if the move fails.
func (e *execution) removeForeign(ctx context.Context) error {
	if op := e.op(); op.Kind == operation.KindMove && *op.Target == e.service.self {
		return nil
	}
	return e.engine.RemoveForeign(ctx, e.gameID, e.stopGrace())
}

// startContainer starts the container as the only live one of its game, and returns it
// in the state running. It returns operation.ErrStartFailed if the container is not
// running right after its start.
func (e *execution) startContainer(ctx context.Context, containerID string) (container.Container, error) {
	if err := e.stopOtherContainers(ctx, containerID); err != nil {
		return container.Container{}, err
	}
	err := e.engine.Start(ctx, containerID)
	if errors.Is(err, container.ErrNoContainer) {
		return container.Container{}, fmt.Errorf("%w: it is missing", operation.ErrStartFailed)
	}
	if err != nil {
		return container.Container{}, err
	}
	return e.inspectStarted(ctx, containerID)
}

// inspectStarted returns a container that should be running. It returns
// operation.ErrStartFailed if the container has exited or was removed.
func (e *execution) inspectStarted(ctx context.Context, containerID string) (container.Container, error) {
	c, err := e.engine.Inspect(ctx, containerID)
	switch {
	case errors.Is(err, container.ErrNoContainer):
		return c, fmt.Errorf("%w: it was removed", operation.ErrStartFailed)
	case err != nil:
		return c, err
	case c.State == container.StateUnknown:
		return c, fmt.Errorf("%w: it cannot determine the state of container %s", container.ErrEngineUnavailable, containerID)
	case c.State != container.StateRunning:
		return c, e.earlyExitError(ctx, c)
	}
	return c, nil
}

// stopContainer stops the container. A container that does not exist is success, and
// reported as missing.
func (e *execution) stopContainer(ctx context.Context, containerID string) (missing bool, err error) {
	if planted.Is(planted.RecordedStop) {
		return false, nil
	}
	err = e.engine.Stop(ctx, containerID, e.stopGrace())
	if errors.Is(err, container.ErrNoContainer) {
		return true, nil
	}
	return false, err
}

// earlyExitError returns the error of a container that exited during its start.
func (e *execution) earlyExitError(ctx context.Context, c container.Container) error {
	text := "exited"
	if c.ExitCode != nil {
		text += fmt.Sprintf(" with code %d", *c.ExitCode)
	}
	if c.OOMKilled {
		text += ", OOM killed"
	}
	return fmt.Errorf("%w: it %s%s", operation.ErrStartFailed, text, e.logTail(ctx, c.ID))
}

// logTail returns the last log lines of the container, to be appended to an error
// message.
func (e *execution) logTail(ctx context.Context, containerID string) string {
	const maxLines, maxBytes = 5, 512
	lines, err := e.engine.Logs(ctx, containerID, maxLines)
	if err != nil || len(lines) == 0 {
		return ""
	}
	text := strings.ReplaceAll(strings.ToValidUTF8(strings.Join(lines, " | "), "?"), "\t", " ")
	if len(text) > maxBytes {
		text = "…" + strings.ToValidUTF8(text[len(text)-maxBytes:], "")
	}
	return "; log: " + text
}
