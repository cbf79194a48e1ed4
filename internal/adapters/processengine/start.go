package processengine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"galaxy/rtmanager/internal/adapters/processengine/internal/livepipe"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/statedir"
)

// Start implements ports.Engine. The game runs in its state directory, with its own variables
// and none of the daemon's. Start returns when the game has been executed. An executable that
// this machine cannot run exits at once with the code 126 or 127, and the log contains the
// reason.
func (e *Engine) Start(ctx context.Context, containerID string) error {
	ctx, end, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	c, err := e.find(containerID)
	if err != nil {
		return err
	}
	release, err := c.acquire(ctx)
	if err != nil {
		return c.wrap("start", err)
	}
	defer release()
	if _, err := e.inspect(c); err != nil {
		return err
	}
	r, err := c.currentRun()
	if err == nil {
		err = c.checkExitRead()
	}
	if err == nil && r == nil {
		r, err = e.startRun(ctx, c)
	}
	if err != nil {
		return c.wrap("start", err)
	}
	return r.waitStarted(ctx, c)
}

// startRun starts and monitors the parent script of the game. The caller must hold the token
// of operations.
func (e *Engine) startRun(ctx context.Context, c *processContainer) (*run, error) {
	if c.specErr != nil {
		return nil, fmt.Errorf("%w: the container is corrupt, remove it: %w", operation.ErrStartFailed, c.specErr)
	}
	port, err := e.reservePort(ctx, c)
	if err != nil {
		return nil, err
	}
	r, err := e.startParent(ctx, c, port)
	if err != nil {
		e.releasePort(port, c)
		return nil, fmt.Errorf("%w: %w", operation.ErrStartFailed, err)
	}
	c.mu.Lock()
	c.run = r
	c.mu.Unlock()
	e.monitors.Go(func() { e.monitor(c, r) })
	return r, nil
}

// startParent writes the files of the start and starts the parent script.
func (e *Engine) startParent(ctx context.Context, c *processContainer, port int) (*run, error) {
	if err := e.writeStartFiles(c, port); err != nil {
		return nil, err
	}
	log, err := c.log.OpenForAppend()
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	pipe, err := livepipe.OpenReader(c.file("alive"))
	if err != nil {
		return nil, err
	}
	holder, err := livepipe.OpenHolder(c.file("alive"))
	if err != nil {
		return nil, errors.Join(err, pipe.Close())
	}
	defer func() { _ = holder.Close() }()

	cmd := exec.CommandContext(context.WithoutCancel(ctx), e.tools.sh, "-c", parentScript, "rtmanager-parent", c.dir, e.tools.sh, gameScript)
	cmd.Env = []string{"PATH=" + defaultPath} // nil would mean the environment of the daemon
	cmd.Dir = filepath.Join(e.cfg.StateDir, statedir.Name(c.spec.Labels.GameID))
	cmd.Stdout = log
	cmd.ExtraFiles = []*os.File{holder} // descriptor 3
	setSession(cmd)
	r, err := newRun(pipe, cmd, port)
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, pipe.Close())
	}
	return r, nil
}

// writeStartFiles writes the files of the start. It first deletes the results of the latest
// run, so that they are not read as those of this run.
func (e *Engine) writeStartFiles(c *processContainer, port int) error {
	if err := e.createStateDir(c.spec.Labels.GameID); err != nil {
		return fmt.Errorf("create the state directory of the game: %w", err)
	}
	if err := livepipe.Create(c.file("alive")); err != nil {
		return err
	}
	if err := c.log.Shorten(e.cfg.MaxLogBytes); err != nil {
		return err
	}
	for _, name := range []string{"exit", "process"} {
		if err := os.Remove(c.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.WriteFile(c.file("run.sh"), []byte(e.shellCommand(c, port)), 0o600); err != nil {
		return err
	}
	return writeJSON(c.file("run.json"), runConfig{Port: port})
}

// shellCommand returns the shell command that executes the game. The program env passes
// variables that a shell would drop because of their names.
func (e *Engine) shellCommand(c *processContainer, port int) string {
	words := []string{e.tools.env, "-i", "--"}
	for name, value := range e.environment(c, port) {
		words = append(words, name+"="+value)
	}
	words = append(words, c.file("image"))
	words = append(words, c.spec.Args...)
	for i, word := range words {
		words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return "exec " + strings.Join(words, " ") + "\n"
}
