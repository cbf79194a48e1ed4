package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
)

// containerName is the same for every try to make one container, and another for
// every other container: what failed and what did not can be told by it.
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

func (r *execution) containerSpec() container.Spec {
	op := r.op()
	spec := op.Spec.WithDefaults()
	return container.Spec{
		Name: containerName(r.service.cfg.Store, r.gameID, op.Generation),
		Labels: container.Labels{
			Store: r.service.cfg.Store, GameID: r.gameID, Region: op.Region, Node: op.Node,
			Image: spec.Image, Generation: op.Generation, OperationID: op.ID,
		},
		Args: spec.Args, Env: spec.Env, Network: spec.Network, Port: spec.Port, ContainerPort: spec.ContainerPort,
		CPUs: spec.CPUs, MemoryBytes: spec.MemoryBytes,
	}
}

// pullAndCreate gets the image and creates the operation's container. The id is written
// down with the step that follows.
func (r *execution) pullAndCreate(ctx context.Context) error {
	err := r.runStep(ctx, operation.StepPulling, func(ctx context.Context) error {
		bound, cancel := context.WithTimeout(ctx, r.service.cfg.PullTimeout)
		defer cancel()
		return r.service.Engine.EnsureImage(bound, r.op().Spec.Image, func(p container.ImageProgress) {
			r.report(operation.Progress{Text: p.Text, BytesDone: p.BytesDone, BytesTotal: p.BytesTotal})
		})
	})
	if err != nil {
		return err
	}
	return r.runStep(ctx, operation.StepCreating, func(ctx context.Context) error {
		if r.op().ContainerID != "" {
			return nil
		}
		made, err := r.create(ctx)
		if err != nil {
			return err
		}
		return r.write(ctx, func(op *operation.Operation) { op.ContainerID = made.ID })
	})
}

// create makes the container. One of the same name that another operation has
// left is in the way: no operation but this one is in progress, so it is nobody's.
func (r *execution) create(ctx context.Context) (container.Container, error) {
	spec := r.containerSpec()
	made, err := r.service.Engine.Create(ctx, spec)
	if !errors.Is(err, container.ErrContainerExists) {
		return made, err
	}
	containers, err := r.service.Engine.List(ctx, r.gameID)
	if err != nil {
		return made, err
	}
	for _, c := range containers {
		if c.Name == spec.Name && !r.isPreviousContainer(c.ID) {
			if err := r.service.Engine.Remove(ctx, c.ID); err != nil {
				return made, err
			}
		}
	}
	return r.service.Engine.Create(ctx, spec)
}

// isPreviousContainer reports whether the container is the one that the record had when the
// operation began.
func (r *execution) isPreviousContainer(containerID string) bool {
	before := r.op().PreviousRecord
	return before != nil && containerID != "" && before.CurrentContainerID == containerID
}

// stopOtherContainers stops what else of the game runs on this node, or may run: two live containers
// would write the same state. A record that somebody has changed by hand, or a container
// that he has started, is how there can be one.
func (r *execution) stopOtherContainers(ctx context.Context, except string) error {
	containers, err := r.service.Engine.List(ctx, r.gameID)
	if err != nil {
		return err
	}
	for _, c := range containers {
		if c.ID == except || c.State == container.StateExited || c.State == container.StateCreated {
			continue
		}
		if !r.holdsSession() {
			return errSuperseded
		}
		r.service.log.Warn("stopping another live container of the game", "game_id", r.gameID, "container_id", c.ID, "generation", c.Labels.Generation)
		if _, err := r.stopContainer(ctx, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// startContainer starts the container, as the only live one of its game, and returns it
// running. One that is not running right after is runtime.ErrStartFailed.
func (r *execution) startContainer(ctx context.Context, containerID string) (container.Container, error) {
	if err := r.stopOtherContainers(ctx, containerID); err != nil {
		return container.Container{}, err
	}
	err := r.service.Engine.Start(ctx, containerID)
	if errors.Is(err, container.ErrNoContainer) {
		return container.Container{}, fmt.Errorf("%w: its container is gone", operation.ErrStartFailed)
	}
	if err != nil {
		return container.Container{}, err
	}
	c, err := r.service.Engine.Inspect(ctx, containerID)
	switch {
	case errors.Is(err, container.ErrNoContainer):
		return c, fmt.Errorf("%w: its container vanished", operation.ErrStartFailed)
	case err != nil:
		return c, err
	case c.State == container.StateUnknown:
		return c, fmt.Errorf("%w: it cannot say what container %s does", container.ErrEngineUnavailable, containerID)
	case c.State != container.StateRunning:
		return c, r.earlyExitError(ctx, c)
	}
	return c, nil
}

// stopContainer stops the container; one that is gone is success, and told.
func (r *execution) stopContainer(ctx context.Context, containerID string) (gone bool, err error) {
	grace := time.Duration(r.op().Spec.WithDefaults().StopGrace)
	err = r.service.Engine.Stop(ctx, containerID, grace)
	if errors.Is(err, container.ErrNoContainer) {
		return true, nil
	}
	return false, err
}

// earlyExitError is the error of a container that exited when it should have come up.
func (r *execution) earlyExitError(ctx context.Context, c container.Container) error {
	text := "exited"
	if c.ExitCode != nil {
		text += fmt.Sprintf(" with code %d", *c.ExitCode)
	}
	if c.OOMKilled {
		text += ", out of memory"
	}
	return fmt.Errorf("%w: it %s%s", operation.ErrStartFailed, text, r.logTail(ctx, c.ID))
}

// logTail are the last lines that the container wrote, for an error message.
func (r *execution) logTail(ctx context.Context, containerID string) string {
	const lines, most = 5, 512
	logged, err := r.service.Engine.Logs(ctx, containerID, lines)
	if err != nil || len(logged) == 0 {
		return ""
	}
	text := strings.ReplaceAll(strings.ToValidUTF8(strings.Join(logged, " | "), "?"), "\t", " ")
	if len(text) > most {
		text = "…" + strings.ToValidUTF8(text[len(text)-most:], "")
	}
	return "; its last words: " + text
}
