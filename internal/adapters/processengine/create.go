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
	"galaxy/rtmanager/internal/domain/runtime"
)

// The prefixes of directories of containers that are being created or removed. No id has such
// a prefix.
const (
	creatingPrefix = ".new-"
	removingPrefix = ".old-"
)

// ValidateSpec implements ports.Engine. It also rejects an image reference that is not
// NAME:VERSION.
func (e *Engine) ValidateSpec(ctx context.Context, s container.Spec) error {
	_, end, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, err := imagePath(s.Labels.Image); err != nil {
		return errors.Join(&runtime.InvalidError{Field: "image", Reason: err.Error()}, e.validateSpec(s))
	}
	return e.validateSpec(s)
}

// Create implements ports.Engine. The directory of the container appears complete or not at
// all.
func (e *Engine) Create(ctx context.Context, s container.Spec) (container.Container, error) {
	ctx, end, err := e.begin(ctx)
	if err != nil {
		return container.Container{}, err
	}
	defer end()
	if err := e.validateSpec(s); err != nil {
		return container.Container{}, fmt.Errorf("create container %q: %w", s.Name, err)
	}
	for {
		c, reserved := e.reserveName(s.Name)
		if reserved {
			return e.createReserved(ctx, c, s)
		}
		select {
		case <-c.created:
		case <-ctx.Done():
			return container.Container{}, unavailable(ctx)
		}
		deleted, err := e.isDeleted(c)
		switch {
		case err != nil:
			return container.Container{}, fmt.Errorf("create container %q: %w", s.Name, err)
		case c.createErr != nil || deleted:
			e.drop(c) // frees the name
		case c.spec.Labels.OperationID != s.Labels.OperationID || !e.isOwned(c):
			return container.Container{}, fmt.Errorf("create container %q: %w: it is %s, created by operation %q", s.Name, container.ErrContainerExists, c.id, c.spec.Labels.OperationID)
		default:
			return c.describe(e.cfg), nil
		}
	}
}

// reserveName returns the container with the name. If there is none, it returns a new
// container and true; the caller must then create the container.
func (e *Engine) reserveName(name string) (c *processContainer, isReserved bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c, exists := e.names[name]; exists {
		return c, false
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	id := hex.EncodeToString(random[:])
	c = newContainer(id, filepath.Join(e.containersDir(), id))
	e.names[name] = c
	return c, true
}

// createReserved creates a container that reserveName returned, or frees its name.
func (e *Engine) createReserved(ctx context.Context, c *processContainer, s container.Spec) (container.Container, error) {
	c.spec = spec{ID: c.id, Name: s.Name, Labels: s.Labels, Args: s.Args, Env: s.Env, Secrets: s.Secrets, Port: s.Port, CPUs: s.CPUs, MemoryBytes: s.MemoryBytes, StopSignal: s.StopSignal}
	err := e.assignPorts(ctx, c, s)
	defer e.releaseAssignment(c)
	if err == nil {
		err = e.createDir(ctx, c)
	}
	if err != nil {
		c.createErr = fmt.Errorf("create container %q: %w", s.Name, err)
		e.drop(c)
		close(c.created)
		return container.Container{}, c.createErr
	}
	e.mu.Lock()
	e.containers[c.id] = c
	e.mu.Unlock()
	close(c.created)
	return c.describe(e.cfg), nil
}

// createDir creates the directory of the container in one step: it writes a draft and renames
// it.
func (e *Engine) createDir(ctx context.Context, c *processContainer) error {
	draft := filepath.Join(e.containersDir(), creatingPrefix+c.id)
	err := e.writeDir(ctx, draft, c)
	if err == nil {
		err = atomicfile.Rename(draft, c.dir)
	}
	if err == nil {
		return nil
	}
	_ = os.RemoveAll(draft) // after an error, the next Open removes the rest
	switch {
	case ctx.Err() != nil:
		return unavailable(ctx)
	case errors.Is(err, container.ErrNoImage):
		return err
	}
	return fmt.Errorf("%w: %w", container.ErrEngineUnavailable, err)
}

// writeDir writes the image and spec.json to the draft directory.
func (e *Engine) writeDir(ctx context.Context, dir string, c *processContainer) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	image := filepath.Join(dir, "image")
	if err := e.pinImage(ctx, c.spec.Labels.Image, image); err != nil {
		return err
	}
	pinned, err := os.Open(image)
	if err != nil {
		return err
	}
	defer func() { _ = pinned.Close() }()
	if c.spec.ImageDigest, err = e.digests.of(ctx, pinned); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "spec.json"), c.spec)
}
