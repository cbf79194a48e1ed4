package processengine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"galaxy/rtmanager/internal/domain/operation"
)

// Start starts the game in its own directory, with its own variables and none of
// the daemon's, and returns once it has been executed. An executable that this
// machine cannot run exits at once, with 126 or 127, and the log says why.
func (e *Engine) Start(ctx context.Context, containerID string) error {
	ctx, done, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	c, err := e.find(containerID)
	if err != nil {
		return err
	}
	release, err := c.acquire(ctx)
	if err != nil {
		return c.wrap("start", err)
	}
	defer release()
	if _, err := e.look(c); err != nil {
		return err
	}
	r, err := c.current()
	if err == nil {
		err = c.readable()
	}
	if err == nil && r == nil {
		r, err = e.launch(ctx, c)
	}
	if err != nil {
		return c.wrap("start", err)
	}
	return r.awaitBegin(ctx, c)
}

// launch starts the shell that starts the game. The caller has the token of acts.
func (e *Engine) launch(ctx context.Context, c *processContainer) (*run, error) {
	if c.damage != nil {
		return nil, fmt.Errorf("%w: the container is damaged, remove it: %w", operation.ErrStartFailed, c.damage)
	}
	port, err := e.takePort(ctx, c)
	if err != nil {
		return nil, err
	}
	r, err := e.fork(ctx, c, port)
	if err != nil {
		e.freePort(port, c)
		return nil, fmt.Errorf("%w: %w", operation.ErrStartFailed, err)
	}
	c.mu.Lock()
	c.run = r
	c.mu.Unlock()
	e.watches.Go(func() { e.watch(c, r) })
	return r, nil
}

// fork writes what the start needs to know, and starts the shell.
func (e *Engine) fork(ctx context.Context, c *processContainer, port int) (*run, error) {
	if err := e.prepare(c, port); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(c.file("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	pipe, err := readPipe(c.file("alive"))
	if err != nil {
		return nil, err
	}
	alive, err := holdPipe(c.file("alive"))
	if err != nil {
		return nil, errors.Join(err, pipe.Close())
	}
	defer func() { _ = alive.Close() }()

	cmd := exec.CommandContext(context.WithoutCancel(ctx), e.tools.sh, "-c", parentScript, "rtmanager-parent", c.dir, e.tools.sh, gameScript)
	cmd.Env = []string{"PATH=" + defaultPath} // nil would be the daemon's own
	cmd.Dir = filepath.Join(e.cfg.StateDir, stateName(c.spec.Labels.GameID))
	cmd.Stdout = log
	cmd.ExtraFiles = []*os.File{alive} // descriptor 3
	detached(cmd)
	r, err := newRun(pipe, cmd, port)
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, pipe.Close())
	}
	return r, nil
}

// prepare writes the start's files. What the last run left goes first, so that it
// is never taken for this one's.
func (e *Engine) prepare(c *processContainer, port int) error {
	if err := e.makeState(c.spec.Labels.GameID); err != nil {
		return fmt.Errorf("make the game's directory: %w", err)
	}
	if err := makePipe(c.file("alive")); err != nil {
		return err
	}
	if err := c.shortenLog(e.cfg.MaxLogBytes); err != nil {
		return err
	}
	if err := deleteFiles(c.file("exit"), c.file("process")); err != nil {
		return err
	}
	if err := os.WriteFile(c.file("run.sh"), []byte(e.command(c, port)), 0o600); err != nil {
		return err
	}
	return writeJSON(c.file("run.json"), start{Port: port})
}

// command returns the line that becomes the game. The program env passes on
// variables that a shell would drop for their names.
func (e *Engine) command(c *processContainer, port int) string {
	words := []string{e.tools.env, "-i", "--"}
	for name, value := range e.variables(c, port) {
		words = append(words, name+"="+value)
	}
	words = append(words, c.file("image"))
	words = append(words, c.spec.Args...)
	for i, word := range words {
		words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return "exec " + strings.Join(words, " ") + "\n"
}
