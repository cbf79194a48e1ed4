package processengine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/domain/container"
)

// Remove implements ports.Engine. It keeps the state directory of the game.
func (e *Engine) Remove(ctx context.Context, containerID string) error {
	ctx, end, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	c, err := e.find(containerID)
	if err != nil {
		return nil // there is no such container
	}
	release, err := c.acquire(ctx)
	if err != nil {
		return c.wrap("remove", err)
	}
	defer release()
	r, err := c.currentRun()
	if err == nil && r != nil {
		err = c.kill(ctx, r)
	}
	if err != nil {
		return c.wrap("remove", err)
	}
	e.removeGroups(c, e.groups.Groups(c.id)) // of a start that has failed
	if err := e.deleteDir(c); err != nil {
		return c.wrap("remove", fmt.Errorf("%w: %w", container.ErrEngineUnavailable, err))
	}
	e.drop(c)
	e.emit(container.EventRemoved, c) // a concurrent inspect may have dropped it without an event
	return nil
}

// RemoveForeign implements ports.Engine. Each node has an engine in a directory of its own.
func (e *Engine) RemoveForeign(context.Context, string, time.Duration) error { return nil }

// deleteDir renames the directory of the container in one step, and then deletes it. If the
// deletion fails, the next Open deletes the rest.
func (e *Engine) deleteDir(c *processContainer) error {
	old := filepath.Join(e.containersDir(), removingPrefix+c.id)
	err := atomicfile.Rename(c.dir, old)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // an earlier Remove or another program has deleted it
	}
	if err != nil {
		return err
	}
	if err := os.RemoveAll(old); err != nil {
		e.log.Warn("cannot delete the directory of a removed container; the next start of the daemon retries", "directory", old, "error", err)
	}
	return nil
}
