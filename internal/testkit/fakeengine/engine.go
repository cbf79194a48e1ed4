package fakeengine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/gameports"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.Engine = (*Engine)(nil)

// killedExitCode is the exit code of a process that signal 9 killed.
const killedExitCode = 128 + 9

// powerLossExitCode is the exit code that Docker reports after the loss of power.
const powerLossExitCode = 255

// Owner identifies the containers that an engine reads and changes.
type Owner struct{ Store, Region, Node string }

// isOwnerOf reports whether the labels name this owner.
func (o Owner) isOwnerOf(l container.Labels) bool {
	return l.Store == o.Store && l.Region == o.Region && l.Node == o.Node
}

// Engine is the engine of one owner on a machine. It is safe for concurrent use.
type Engine struct {
	machine *Machine
	owner   Owner
}

// Engine returns an engine for the containers of the owner.
func (m *Machine) Engine(owner Owner) *Engine { return &Engine{m, owner} }

// Kind implements ports.Engine.
func (e *Engine) Kind() container.EngineKind { return "fake" }

// EnsureImage implements ports.Engine. The images are those that New was given.
func (e *Engine) EnsureImage(ctx context.Context, image string, _ func(container.ImageProgress)) error {
	return e.withLock(ctx, func() error { return e.machine.checkImage(image) })
}

// HasImage implements ports.Engine.
func (e *Engine) HasImage(ctx context.Context, image string) (bool, error) {
	err := e.EnsureImage(ctx, image, nil)
	if errors.Is(err, container.ErrNoImage) {
		return false, nil
	}
	return err == nil, err
}

// PullImage implements ports.Engine.
func (e *Engine) PullImage(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	return e.EnsureImage(ctx, image, progress)
}

// ImageDigest implements ports.Engine. It is the reference, until SetImageDigest changes it.
func (e *Engine) ImageDigest(ctx context.Context, image string) (digest string, err error) {
	err = e.withLock(ctx, func() error {
		digest = e.machine.digestOf(image)
		return nil
	})
	return digest, err
}

// SetImageDigest changes the content that the image reference names.
func (m *Machine) SetImageDigest(image, digest string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.digests == nil {
		m.digests = map[string]string{}
	}
	m.digests[image] = digest
}

// digestOf returns the digest of the image, empty if the machine does not have it. mu must be
// held.
func (m *Machine) digestOf(image string) string {
	if m.checkImage(image) != nil {
		return ""
	}
	return cmp.Or(m.digests[image], "digest of "+image)
}

// checkImage returns container.ErrNoImage if the machine does not have the image. mu must be
// held.
func (m *Machine) checkImage(image string) error {
	if !slices.Contains(m.images, image) {
		return fmt.Errorf("image %q: %w", image, container.ErrNoImage)
	}
	return nil
}

// ValidateSpec implements ports.Engine.
func (e *Engine) ValidateSpec(ctx context.Context, spec container.Spec) error {
	return e.withLock(ctx, func() error { return e.validate(spec) })
}

// Create implements ports.Engine. The argument --ignore-sigterm makes Stop kill the
// container after the grace.
func (e *Engine) Create(ctx context.Context, spec container.Spec) (created container.Container, err error) {
	err = e.withLock(ctx, func() error {
		if err := e.validate(spec); err != nil {
			return err
		}
		for _, c := range e.machine.containers {
			if c.Name != spec.Name {
				continue
			}
			if !e.owner.isOwnerOf(c.Labels) || c.Labels.OperationID != spec.Labels.OperationID {
				return fmt.Errorf("container %q: %w", spec.Name, container.ErrContainerExists)
			}
			created = e.machine.snapshot(c)
			return nil
		}
		if err := e.machine.checkImage(spec.Labels.Image); err != nil {
			return err
		}
		assigned, err := e.machine.reservedPorts().Assign(ctx, GamePorts(), spec.Labels.GameID, spec.Ports)
		if err != nil {
			return fmt.Errorf("%w: %w", operation.ErrStartFailed, err)
		}
		spec.Ports = assigned
		created = e.machine.snapshot(e.machine.create(spec))
		return nil
	})
	return created, err
}

// create creates a container. mu must be held.
func (m *Machine) create(spec container.Spec) *fakeContainer {
	m.lastID++
	c := &fakeContainer{
		Container: container.Container{
			ID: "c" + strconv.Itoa(m.lastID), Name: spec.Name, Labels: spec.Labels, State: container.StateCreated,
			Image: spec.Labels.Image, ImageDigest: m.digestOf(spec.Labels.Image), Network: spec.Network,
		},
		ignoresStop: slices.Contains(spec.Args, "--ignore-sigterm") && (spec.StopSignal == "" || spec.StopSignal == "SIGTERM"),
		port:        cmp.Or(spec.Port, 30000+m.lastID),
		ports:       spec.Ports,
	}
	m.containers[c.ID] = c
	return c
}

// GamePorts returns the range of ports of each machine for players.
func GamePorts() gameports.Range { return gameports.Range{First: 20000, Last: 29999} }

// reservedPorts returns the ports of players of all containers. mu must be held.
func (m *Machine) reservedPorts() gameports.Reserved {
	reserved := gameports.Reserved{}
	for _, c := range m.containers {
		reserved.Add(c.Labels.GameID, c.State == container.StateRunning, c.ports)
	}
	return reserved
}

// validate returns an error for a spec that no engine can serve.
func (e *Engine) validate(spec container.Spec) error {
	switch {
	case spec.Name == "":
		return &runtime.InvalidError{Field: "name", Reason: "is required"}
	case spec.Labels.OperationID == "":
		return &runtime.InvalidError{Field: "operation_id", Reason: "is required"}
	case !e.owner.isOwnerOf(spec.Labels):
		return &runtime.InvalidError{Field: "labels", Reason: fmt.Sprintf("name node %s/%s of store %s, which is not the node of this engine", spec.Labels.Region, spec.Labels.Node, spec.Labels.Store)}
	case spec.Port < 0 || spec.Port > 65535:
		return &runtime.InvalidError{Field: "port", Reason: fmt.Sprintf("%d is not a port from 0 to 65535", spec.Port)}
	}
	for _, p := range spec.Ports {
		if p.Protocol != runtime.ProtocolTCP && p.Protocol != runtime.ProtocolUDP || p.Port < 0 || p.Port > 65535 {
			return &runtime.InvalidError{Field: "ports", Reason: fmt.Sprintf("contain %s with protocol %q and port %d", p.Name, p.Protocol, p.Port)}
		}
	}
	return runtime.ValidateGameID(spec.Labels.GameID)
}

// Start implements ports.Engine.
func (e *Engine) Start(ctx context.Context, id string) error {
	return e.withContainer(ctx, id, func(c *fakeContainer) { e.machine.start(c) })
}

// Remove implements ports.Engine.
func (e *Engine) Remove(ctx context.Context, id string) error {
	err := e.withContainer(ctx, id, func(c *fakeContainer) { e.machine.remove(c) })
	if isMissing(err) {
		return nil
	}
	return err
}

// Stop implements ports.Engine.
func (e *Engine) Stop(ctx context.Context, id string, grace time.Duration) error {
	var exited chan struct{} // nil: there is nothing to wait for
	if err := e.withContainer(ctx, id, func(c *fakeContainer) {
		switch {
		case c.State != container.StateRunning:
		case grace == 0:
			e.machine.exit(c, killedExitCode)
		case !c.ignoresStop:
			e.machine.exit(c, 0)
		default:
			exited = c.exited
		}
	}); err != nil || exited == nil {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-exited:
		return nil
	case <-timer.C:
		return e.withContainer(ctx, id, func(c *fakeContainer) {
			if c.State == container.StateRunning && c.exited == exited {
				e.machine.exit(c, killedExitCode)
				c.StopKilled = true
			}
		})
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
}

// Inspect implements ports.Engine.
func (e *Engine) Inspect(ctx context.Context, id string) (found container.Container, err error) {
	err = e.readContainer(ctx, id, func(c *fakeContainer) { found = e.machine.snapshot(c) })
	return found, err
}

// List implements ports.Engine.
func (e *Engine) List(ctx context.Context, gameID string) ([]container.Container, error) {
	listed := []container.Container{}
	err := e.withLock(ctx, func() error {
		for _, c := range e.machine.containers {
			if !e.machine.reportsEmpty && e.owner.isOwnerOf(c.Labels) && (gameID == "" || c.Labels.GameID == gameID) {
				listed = append(listed, e.machine.snapshot(c))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return listed, nil
}

// RemoveForeign implements ports.Engine.
func (e *Engine) RemoveForeign(ctx context.Context, gameID string, grace time.Duration) error {
	var foreign []container.Container
	err := e.withLock(ctx, func() error {
		for _, c := range e.machine.containers {
			if c.Labels.Store == e.owner.Store && c.Labels.GameID == gameID && !e.owner.isOwnerOf(c.Labels) {
				foreign = append(foreign, c.Container)
			}
		}
		return nil
	})
	for _, c := range foreign {
		owner := e.machine.Engine(Owner{Store: c.Labels.Store, Region: c.Labels.Region, Node: c.Labels.Node})
		if err := owner.Stop(ctx, c.ID, grace); err != nil && !errors.Is(err, container.ErrNoContainer) {
			return err
		}
		if err := owner.Remove(ctx, c.ID); err != nil {
			return err
		}
	}
	return err
}

// Logs implements ports.Engine. A fake container writes no log.
func (e *Engine) Logs(ctx context.Context, id string, _ int) ([]string, error) {
	return nil, e.readContainer(ctx, id, func(*fakeContainer) {})
}

// StreamLogs implements ports.Engine. A fake container writes no log.
func (e *Engine) StreamLogs(ctx context.Context, id string, _ container.LogOptions) iter.Seq2[container.LogLine, error] {
	return func(yield func(container.LogLine, error) bool) {
		if err := e.readContainer(ctx, id, func(*fakeContainer) {}); err != nil {
			yield(container.LogLine{}, err)
		}
	}
}

// Usage implements ports.Engine. A fake container uses nothing.
func (e *Engine) Usage(ctx context.Context, id string) (container.Usage, error) {
	return container.Usage{}, e.readContainer(ctx, id, func(*fakeContainer) {})
}

// withContainer calls fn with the container, or blocks until ctx ends if the container
// hangs.
func (e *Engine) withContainer(ctx context.Context, id string, fn func(c *fakeContainer)) error {
	hangs := false
	err := e.readContainer(ctx, id, func(c *fakeContainer) {
		if hangs = e.machine.hanging[id]; !hangs {
			fn(c)
		}
	})
	if hangs {
		<-ctx.Done()
		return unavailable(ctx.Err())
	}
	return err
}

// readContainer calls fn with the container while it holds the lock of the machine.
func (e *Engine) readContainer(ctx context.Context, id string, fn func(c *fakeContainer)) error {
	return e.withLock(ctx, func() error {
		c := e.machine.containers[id]
		if c == nil || e.machine.reportsEmpty || !e.owner.isOwnerOf(c.Labels) {
			return fmt.Errorf("container %q: %w", id, container.ErrNoContainer)
		}
		fn(c)
		return nil
	})
}

// withLock calls fn while it holds the lock of the machine, unless the engine fails.
func (e *Engine) withLock(ctx context.Context, fn func() error) error {
	e.machine.mu.Lock()
	defer e.machine.mu.Unlock()
	if err := cmp.Or(ctx.Err(), e.machine.failure); err != nil {
		return unavailable(err)
	}
	return fn()
}
