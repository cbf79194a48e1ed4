package processengine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"galaxy/rtmanager/internal/domain/container"
)

var idPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// load finds the containers that earlier engines have left, and deletes what they
// did not come to finish or to delete.
func (e *Engine) load() error {
	entries, err := os.ReadDir(e.containersDir())
	if err != nil {
		return err
	}
	strangers := 0
	for _, entry := range entries {
		name := entry.Name()
		path := filepath.Join(e.containersDir(), name)
		switch {
		case strings.HasPrefix(name, newMark), strings.HasPrefix(name, oldMark):
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("delete what an earlier engine has left: %w", err)
			}
		case !entry.IsDir() || !idPattern.MatchString(name):
			e.log.Warn("something that is no container lies among the containers", "path", path)
		default:
			if !e.loadOne(newContainer(name, path)) {
				strangers++
			}
		}
	}
	if strangers > 0 {
		e.log.Warn("containers of other stores or nodes lie in the directory and are left alone", "directory", e.containersDir(), "count", strangers)
	}
	return nil
}

// loadOne takes the container in, and reports whether it is ours. One that is
// damaged is: nobody else looks here.
func (e *Engine) loadOne(c *processContainer) (ours bool) {
	close(c.ready)
	if c.spec, c.damage = readSpec(c.file("spec.json"), c.id); c.damage != nil {
		e.log.Error("a container is damaged; remove it, or restore its spec.json and start again", "container", c.id, "error", c.damage)
	} else {
		e.names[c.spec.Name] = c
		if !e.owns(c) {
			return false
		}
	}
	e.containers[c.id] = c
	if exists(c.file("run.json")) {
		e.attach(c)
	}
	return true
}

// attach finds out what a container does that was started once.
func (e *Engine) attach(c *processContainer) {
	var s start
	if err := readJSON(c.file("run.json"), &s); err != nil {
		e.log.Warn("the port of a container's game is not known", "container", c.id, "error", err)
	}
	if err := e.track(c, s.Port); err != nil { // which does not mean that the game has exited
		e.log.Error("whether a container runs cannot be told yet", "container", c.id, "error", err)
		e.watches.Go(func() { e.keepTracking(c, s.Port) })
	}
}

// keepTracking tries to find out until it can be told whether the container runs.
func (e *Engine) keepTracking(c *processContainer, port int) {
	for {
		if _, closed := wait(e.life, nil, time.Second); closed != nil {
			return
		}
		if e.track(c, port) == nil {
			break
		}
	}
	if c.running() == nil {
		e.tell(container.EventExited, c) // of one that runs it has been told
	}
}

// track finds out whether the container runs, and follows it if it does. After an error
// it is unknown.
func (e *Engine) track(c *processContainer, port int) error {
	r, words, err := findRun(c.file("alive"), port)
	if err != nil {
		err = fmt.Errorf("%s: %w", c.file("alive"), err)
	}
	c.mu.Lock()
	c.run, c.astray = r, err
	c.mu.Unlock()
	switch {
	case err != nil:
		return err
	case r == nil:
		if c.recall(port) != nil {
			e.watches.Go(func() { e.conclude(c, port) })
		}
		return nil
	}
	e.mu.Lock()
	if port != 0 {
		e.ports[port] = c
	}
	e.mu.Unlock()
	if e.life.Err() != nil { // Close may have been here before the run was
		c.letGo()
	}
	e.resume(c, r, words)
	return nil
}

// findRun returns what holds the pipe, and the words that nobody has heard yet;
// nil if nothing does.
func findRun(name string, port int) (r *run, words []byte, err error) {
	pipe, err := readPipe(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	alive, words, err := held(pipe)
	if err == nil && alive {
		if r, err = newRun(pipe, nil, port); err == nil {
			return r, words, nil
		}
	}
	return nil, nil, errors.Join(err, pipe.Close())
}

// resume watches a run that an earlier engine has started.
func (e *Engine) resume(c *processContainer, r *run, words []byte) {
	if exists(c.file("process")) {
		e.noteBegin(c, r) // whoever heard the word has told of it, or is gone
	}
	e.hear(c, r, words)
	if exists(c.file("exit")) {
		e.hear(c, r, []byte{wordExited}) // the game is gone, something of it is not
	}
	e.watches.Go(func() { e.watch(c, r) })
}
