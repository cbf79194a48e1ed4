package processengine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/adapters/processengine/internal/livepipe"
	"galaxy/rtmanager/internal/adapters/processengine/internal/shim"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/wait"
)

var idPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// recoverContainers adds the containers of earlier engines to the index, and deletes those
// whose creation or removal was interrupted.
func (e *Engine) recoverContainers() error {
	entries, err := os.ReadDir(e.containersDir())
	if err != nil {
		return err
	}
	foreign := 0
	for _, entry := range entries {
		name := entry.Name()
		path := filepath.Join(e.containersDir(), name)
		switch {
		case strings.HasPrefix(name, creatingPrefix), strings.HasPrefix(name, removingPrefix):
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("delete an incomplete container: %w", err)
			}
		case !entry.IsDir() || !idPattern.MatchString(name):
			e.log.Warn("the directory of containers contains another file", "path", path)
		default:
			if !e.recoverContainer(newContainer(name, path)) {
				foreign++
			}
		}
	}
	if foreign > 0 {
		e.log.Warn("the directory contains containers of other stores or nodes", "directory", e.containersDir(), "count", foreign)
	}
	return nil
}

// recoverContainer adds the container to the index, and reports whether it is owned. A
// container whose spec.json cannot be read counts as owned, since no other engine uses the
// directory.
func (e *Engine) recoverContainer(c *processContainer) (isOwned bool) {
	close(c.created)
	if c.spec, c.specErr = readSpec(c.file("spec.json"), c.id); c.specErr != nil {
		e.log.Error("a container is corrupt; remove it, or restore its spec.json and restart the daemon", "container", c.id, "error", c.specErr)
	} else {
		e.names[c.spec.Name] = c
		if l := &c.spec.Labels; slices.Contains(e.cfg.Former, node.Ref{Region: l.Region, Name: l.Node}) {
			l.Region, l.Node = e.cfg.Region, e.cfg.Node
		}
		if !e.isOwned(c) {
			return false
		}
	}
	e.containers[c.id] = c
	if err := c.log.Shorten(e.cfg.MaxLogBytes); err != nil {
		e.log.Warn("cannot shorten a log", "container", c.id, "error", err)
	}
	if fileExists(c.file("run.json")) {
		e.recoverRun(c)
	}
	return true
}

// recoverRun determines the state of a container that was started before. If this fails, the
// state is unknown and recoverRun retries in the background.
func (e *Engine) recoverRun(c *processContainer) {
	var config runConfig
	if err := readJSON(c.file("run.json"), &config); err != nil {
		e.log.Warn("the port of a container's game is unknown", "container", c.id, "error", err)
		config.Groups = e.groups.Groups(c.id)
	}
	if err := e.trackRun(c, config); err != nil {
		e.log.Error("cannot determine yet whether a container runs", "container", c.id, "error", err)
		e.monitors.Go(func() { e.retryTrackRun(c, config) })
	}
}

// retryTrackRun calls trackRun until it succeeds, and emits an event if the container has
// exited. If it runs, trackRun has emitted an event.
func (e *Engine) retryTrackRun(c *processContainer, config runConfig) {
	for {
		if wait.For(e.lifetime.Context(), retryDelay) != nil {
			return
		}
		if e.trackRun(c, config) == nil {
			break
		}
	}
	if c.activeRun() == nil {
		e.emit(container.EventExited, c)
	}
}

// trackRun determines whether the container runs, and monitors its run if it does. After an
// error the state is unknown.
func (e *Engine) trackRun(c *processContainer, config runConfig) error {
	r, messages, err := c.openRun(config)
	if err != nil {
		err = fmt.Errorf("%s: %w", c.file("alive"), err)
	}
	c.mu.Lock()
	c.run, c.stateErr = r, err
	c.isExitPending = r == nil && err == nil
	c.mu.Unlock()
	switch {
	case err != nil:
		return err
	case r == nil:
		c.recordRestart(e.openedAt, config.Boot)
		e.recordResult(c, config.Groups)
		if c.tryRecordExit(config.Port) != nil {
			e.monitors.Go(func() { e.recordExit(c, config.Port) })
		}
		return nil
	}
	e.mu.Lock()
	for _, key := range config.ports() {
		e.ports[key] = c
	}
	e.mu.Unlock()
	if e.lifetime.Context().Err() != nil { // Close may have detached the containers before
		c.detach()
	}
	e.resumeRun(c, r, messages)
	return nil
}

// openRun opens the run in progress, and returns messages that no engine has read. r is nil if no
// process of the game lives.
func (c *processContainer) openRun(config runConfig) (r *run, messages []byte, err error) {
	pipe, err := livepipe.OpenReader(c.file("alive"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	isHeld, messages, err := livepipe.IsHeld(pipe)
	if err == nil {
		r, err = newRun(pipe, nil, config)
	}
	if err == nil && (isHeld || c.hasOrphans(r)) {
		return r, messages, nil
	}
	return nil, nil, errors.Join(err, pipe.Close())
}

// hasOrphans reports whether processes of the run live without their shim. There are none
// after the end of the run was recorded, or after a boot of the machine.
func (c *processContainer) hasOrphans(r *run) bool {
	return !fileExists(c.file("result.json")) && r.config.Boot == bootID() && len(c.members(r)) > 0
}

// resumeRun monitors a run that an earlier engine started. That engine may have read the
// messages of the game, so the files process and exit replace them.
func (e *Engine) resumeRun(c *processContainer, r *run, messages []byte) {
	if fileExists(c.file("process")) {
		e.recordStart(c, r)
	}
	e.handleMessages(c, r, messages)
	var stop stopResult
	if readJSON(c.file("stop.json"), &stop) == nil {
		c.setStopUntil(r, stop.Until) // a stop was interrupted: its grace continues
	}
	if fileExists(c.file("exit")) {
		e.handleMessages(c, r, []byte{shim.MessageExited}) // the game has exited, but not all its processes
	}
	e.monitors.Go(func() { e.monitor(c, r) })
}
