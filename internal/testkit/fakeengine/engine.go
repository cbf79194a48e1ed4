package fakeengine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.Engine = (*Engine)(nil)

// killed is the exit code of death by signal 9.
const killed = 128 + 9

// Owner is whose containers an engine sees.
type Owner struct{ Store, Region, Node string }

func (o Owner) of(l container.Labels) bool {
	return l.Store == o.Store && l.Region == o.Region && l.Node == o.Node
}

// Engine is the engine of one owner on a machine. It is safe for concurrent use.
type Engine struct {
	machine *Machine
	owner   Owner
}

// Engine returns an engine that sees the owner's containers.
func (m *Machine) Engine(owner Owner) *Engine { return &Engine{m, owner} }

// Kind implements ports.Engine.
func (e *Engine) Kind() container.EngineKind { return "fake" }

// EnsureImage implements ports.Engine: an image is there from the beginning, or
// cannot be had.
func (e *Engine) EnsureImage(ctx context.Context, image string, _ func(container.ImageProgress)) error {
	return e.do(ctx, func() error { return e.machine.hasImage(image) })
}

func (m *Machine) hasImage(image string) error {
	if !slices.Contains(m.images, image) {
		return fmt.Errorf("image %q: %w", image, container.ErrNoImage)
	}
	return nil
}

// Create implements ports.Engine. Of the arguments it understands
// --ignore-sigterm.
func (e *Engine) Create(ctx context.Context, spec container.Spec) (made container.Container, err error) {
	err = e.do(ctx, func() error {
		if err := e.check(spec); err != nil {
			return err
		}
		for _, c := range e.machine.containers {
			if c.Name != spec.Name {
				continue
			}
			if !e.owner.of(c.Labels) || c.Labels.OperationID != spec.Labels.OperationID {
				return fmt.Errorf("container %q: %w", spec.Name, container.ErrContainerExists)
			}
			made = c.view()
			return nil
		}
		if err := e.machine.hasImage(spec.Labels.Image); err != nil {
			return err
		}
		made = e.machine.create(spec).view()
		return nil
	})
	return made, err
}

func (m *Machine) create(spec container.Spec) *fakeContainer {
	m.last++
	c := &fakeContainer{
		Container: container.Container{
			ID: "c" + strconv.Itoa(m.last), Name: spec.Name, Labels: spec.Labels, State: container.StateCreated,
			Image: spec.Labels.Image, Network: spec.Network,
		},
		deaf: slices.Contains(spec.Args, "--ignore-sigterm"),
		port: cmp.Or(spec.Port, 30000+m.last),
	}
	m.containers[c.ID] = c
	return c
}

// check refuses what no engine can serve.
func (e *Engine) check(spec container.Spec) error {
	switch {
	case spec.Name == "":
		return &runtime.InvalidError{Field: "name", Reason: "is required"}
	case spec.Labels.OperationID == "":
		return &runtime.InvalidError{Field: "operation_id", Reason: "is required"}
	case !e.owner.of(spec.Labels):
		return &runtime.InvalidError{Field: "labels", Reason: fmt.Sprintf("are of %s/%s in store %s, and this engine is of another", spec.Labels.Region, spec.Labels.Node, spec.Labels.Store)}
	case spec.Port < 0 || spec.Port > 65535:
		return &runtime.InvalidError{Field: "port", Reason: fmt.Sprintf("%d is not a port from 0 to 65535", spec.Port)}
	}
	return runtime.ValidateGameID(spec.Labels.GameID)
}

// Start implements ports.Engine.
func (e *Engine) Start(ctx context.Context, id string) error {
	return e.act(ctx, id, func(c *fakeContainer) { e.machine.start(c) })
}

// Remove implements ports.Engine.
func (e *Engine) Remove(ctx context.Context, id string) error {
	err := e.act(ctx, id, func(c *fakeContainer) { e.machine.remove(c) })
	if isGone(err) {
		return nil
	}
	return err
}

// Stop implements ports.Engine. Whoever ends the run, it returns when that is over.
func (e *Engine) Stop(ctx context.Context, id string, grace time.Duration) error {
	var ended chan struct{} // nil: nothing to wait for
	if err := e.act(ctx, id, func(c *fakeContainer) {
		switch {
		case c.State != container.StateRunning:
		case grace == 0:
			e.machine.exit(c, killed)
		case !c.deaf:
			e.machine.exit(c, 0)
		default:
			ended = c.ended
		}
	}); err != nil || ended == nil {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-ended:
		return nil
	case <-timer.C:
		return e.Stop(ctx, id, 0)
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
}

// Inspect implements ports.Engine.
func (e *Engine) Inspect(ctx context.Context, id string) (seen container.Container, err error) {
	err = e.find(ctx, id, func(c *fakeContainer) { seen = c.view() })
	return seen, err
}

// List implements ports.Engine.
func (e *Engine) List(ctx context.Context, gameID string) ([]container.Container, error) {
	listed := []container.Container{}
	err := e.do(ctx, func() error {
		for _, c := range e.machine.containers {
			if !e.machine.blind && e.owner.of(c.Labels) && (gameID == "" || c.Labels.GameID == gameID) {
				listed = append(listed, c.view())
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return listed, nil
}

// Logs implements ports.Engine: what runs nothing writes nothing.
func (e *Engine) Logs(ctx context.Context, id string, _ int) ([]string, error) {
	return nil, e.find(ctx, id, func(*fakeContainer) {})
}

// act changes a container, or hangs where that is wedged.
func (e *Engine) act(ctx context.Context, id string, change func(c *fakeContainer)) error {
	wedged := false
	err := e.find(ctx, id, func(c *fakeContainer) {
		if wedged = e.machine.wedged[id]; !wedged {
			change(c)
		}
	})
	if wedged {
		<-ctx.Done()
		return unavailable(ctx.Err())
	}
	return err
}

// find calls give with the owner's container.
func (e *Engine) find(ctx context.Context, id string, give func(c *fakeContainer)) error {
	return e.do(ctx, func() error {
		c := e.machine.containers[id]
		if c == nil || e.machine.blind || !e.owner.of(c.Labels) {
			return fmt.Errorf("container %q: %w", id, container.ErrNoContainer)
		}
		give(c)
		return nil
	})
}

// do calls f with the machine to itself, unless nothing answers.
func (e *Engine) do(ctx context.Context, f func() error) error {
	e.machine.mu.Lock()
	defer e.machine.mu.Unlock()
	if err := cmp.Or(ctx.Err(), e.machine.down); err != nil {
		return unavailable(err)
	}
	return f()
}
