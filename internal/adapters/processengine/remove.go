package processengine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/domain/container"
)

// Remove leaves the game's own directory alone: it outlives containers.
func (e *Engine) Remove(ctx context.Context, containerID string) error {
	ctx, done, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	c, err := e.find(containerID)
	if err != nil {
		return nil // no such container is what was wanted
	}
	release, err := c.acquire(ctx)
	if err != nil {
		return c.wrap("remove", err)
	}
	defer release()
	r, err := c.current()
	if err == nil && r != nil {
		err = c.kill(ctx, r)
	}
	if err != nil {
		return c.wrap("remove", err)
	}
	if err := e.deleteDir(c); err != nil {
		return c.wrap("remove", fmt.Errorf("%w: %w", container.ErrEngineUnavailable, err))
	}
	e.forget(c)
	e.tell(container.EventRemoved, c) // whoever has looked meanwhile may have forgotten it, and has not told
	return nil
}

// deleteDir takes the container's directory away in one step, and then deletes
// it. What it does not come to, the next Open does.
func (e *Engine) deleteDir(c *processContainer) error {
	old := filepath.Join(e.containersDir(), oldMark+c.id)
	err := atomicfile.Rename(c.dir, old)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // by an earlier Remove, or by somebody else
	}
	if err != nil {
		return err
	}
	if err := os.RemoveAll(old); err != nil {
		e.log.Warn("cannot delete what is left of a container; trying again at the next start", "directory", old, "error", err)
	}
	return nil
}
