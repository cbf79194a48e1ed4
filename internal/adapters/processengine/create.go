package processengine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/domain/container"
)

// newMark begins the names of directories of containers that are being made,
// oldMark of those that are being removed. Neither is ever part of an id.
const (
	newMark = ".new-"
	oldMark = ".old-"
)

// Create makes the container's directory, which appears whole or not at all.
func (e *Engine) Create(ctx context.Context, s container.Spec) (container.Container, error) {
	ctx, done, err := e.begin(ctx)
	if err != nil {
		return container.Container{}, err
	}
	defer done()
	if err := e.check(s); err != nil {
		return container.Container{}, fmt.Errorf("create container %q: %w", s.Name, err)
	}
	for {
		c, mine := e.reserve(s.Name)
		if mine {
			return e.make(ctx, c, s)
		}
		select {
		case <-c.ready:
		case <-ctx.Done():
			return container.Container{}, unavailable(ctx)
		}
		lost, err := e.lost(c)
		switch {
		case err != nil:
			return container.Container{}, fmt.Errorf("create container %q: %w", s.Name, err)
		case c.failure != nil || lost:
			e.forget(c) // and its name is free again
		case c.spec.Labels.OperationID != s.Labels.OperationID || !e.owns(c):
			return container.Container{}, fmt.Errorf("create container %q: %w: it is %s, made by operation %q", s.Name, container.ErrContainerExists, c.id, c.spec.Labels.OperationID)
		default:
			return c.describe(e.cfg), nil
		}
	}
}

// reserve returns the container of the name; mine says that there was none, and
// that the caller is to make it.
func (e *Engine) reserve(name string) (c *processContainer, mine bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c, taken := e.names[name]; taken {
		return c, false
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	id := hex.EncodeToString(random[:])
	c = newContainer(id, filepath.Join(e.containersDir(), id))
	e.names[name] = c
	return c, true
}

// make makes the container that was reserved, or gives its name back.
func (e *Engine) make(ctx context.Context, c *processContainer, s container.Spec) (container.Container, error) {
	c.spec = spec{ID: c.id, Name: s.Name, Labels: s.Labels, Args: s.Args, Env: s.Env, Port: s.Port}
	if err := e.makeDir(ctx, c); err != nil {
		c.failure = fmt.Errorf("create container %q: %w", s.Name, err)
		e.forget(c)
		close(c.ready)
		return container.Container{}, c.failure
	}
	e.mu.Lock()
	e.containers[c.id] = c
	e.mu.Unlock()
	close(c.ready)
	return c.describe(e.cfg), nil
}

func (e *Engine) makeDir(ctx context.Context, c *processContainer) error {
	draft := filepath.Join(e.containersDir(), newMark+c.id)
	err := e.fillDir(ctx, draft, c)
	if err == nil {
		err = atomicfile.Rename(draft, c.dir)
	}
	if err == nil {
		return nil
	}
	_ = os.RemoveAll(draft) // or the next Open does
	switch {
	case ctx.Err() != nil:
		return unavailable(ctx)
	case errors.Is(err, container.ErrNoImage):
		return err
	}
	return fmt.Errorf("%w: %w", container.ErrEngineUnavailable, err)
}

func (e *Engine) fillDir(ctx context.Context, dir string, c *processContainer) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := e.pinImage(ctx, c.spec.Labels.Image, filepath.Join(dir, "image")); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "spec.json"), c.spec)
}

// owns reports whether the container is of this engine's store and node.
func (e *Engine) owns(c *processContainer) bool {
	l := c.spec.Labels
	return l.Store == e.cfg.Store && l.Region == e.cfg.Region && l.Node == e.cfg.Node
}
