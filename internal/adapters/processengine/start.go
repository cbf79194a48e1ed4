package processengine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"galaxy/rtmanager/internal/adapters/processengine/internal/cgroups"
	"galaxy/rtmanager/internal/adapters/processengine/internal/livepipe"
	"galaxy/rtmanager/internal/adapters/processengine/internal/shim"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/secret"
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

// startRun starts and monitors the shim of the game. The caller must hold the token
// of operations.
func (e *Engine) startRun(ctx context.Context, c *processContainer) (*run, error) {
	if c.specErr != nil {
		return nil, fmt.Errorf("%w: the container is corrupt, remove it: %w", operation.ErrStartFailed, c.specErr)
	}
	secrets, err := e.resolveSecrets(ctx, c)
	if err != nil {
		return nil, err
	}
	port, err := e.reservePorts(ctx, c)
	if err != nil {
		return nil, err
	}
	r, err := e.startShim(c, secrets, port)
	if err != nil {
		e.releasePorts(c)
		return nil, fmt.Errorf("%w: %w", operation.ErrStartFailed, err)
	}
	c.mu.Lock()
	c.run, c.restartedAt = r, nil
	c.mu.Unlock()
	e.monitors.Go(func() { e.monitor(c, r) })
	return r, nil
}

// startShim writes the files of the start and starts the shim.
func (e *Engine) startShim(c *processContainer, secrets secret.Values, port int) (*run, error) {
	environment, err := e.openEnvironment(c, secrets, port)
	if err != nil {
		return nil, err
	}
	defer closeFile(environment)
	config, err := e.prepareStart(c, port, environment != nil)
	if err != nil {
		return nil, err
	}
	pipe, err := livepipe.OpenReader(c.file("alive"))
	if err != nil {
		return nil, err
	}
	holder, err := livepipe.OpenHolder(c.file("alive"))
	if err != nil {
		return nil, errors.Join(err, pipe.Close())
	}
	defer func() { _ = holder.Close() }()

	cmd := shim.Command(shim.Config{
		Dir: c.dir, Shell: e.tools.sh, MaxLogBytes: e.cfg.MaxLogBytes, Groups: config.Groups, HasEnvironment: environment != nil,
	})
	cmd.Dir = filepath.Join(e.cfg.StateDir, statedir.Name(c.spec.Labels.GameID))
	cmd.ExtraFiles = []*os.File{holder} // descriptor 3
	if environment != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, environment) // descriptor 4
	}
	setSession(cmd)
	r, err := newRun(pipe, cmd, config)
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, pipe.Close())
	}
	return r, nil
}

// prepareStart writes the files and creates the control groups of the start. It first deletes
// the results of the latest run, so that they are not read as those of this run.
func (e *Engine) prepareStart(c *processContainer, port int, hasEnvironment bool) (runConfig, error) {
	config := runConfig{Port: port, Ports: c.spec.Ports, Groups: e.groups.Groups(c.id), Boot: bootID()}
	if err := e.createStateDir(c.spec.Labels.GameID); err != nil {
		return config, fmt.Errorf("create the state directory of the game: %w", err)
	}
	if err := errors.Join(livepipe.Create(c.file("alive")), livepipe.Create(c.file("output"))); err != nil {
		return config, err
	}
	if err := c.log.Shorten(e.cfg.MaxLogBytes); err != nil {
		return config, err
	}
	for _, name := range []string{"exit", "process", "stop.json", "result.json"} {
		if err := os.Remove(c.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return config, err
		}
	}
	if err := e.groups.Create(c.id, cgroups.Limits{CPUs: c.spec.CPUs, MemoryBytes: c.spec.MemoryBytes}); err != nil {
		return config, err
	}
	if err := os.WriteFile(c.file("run.sh"), []byte(e.shellCommand(c, port, hasEnvironment)), 0o600); err != nil {
		return config, err
	}
	return config, writeJSON(c.file("run.json"), config)
}

// shellCommand returns the shell command that executes the game. The program env passes
// variables that a shell would drop because of their names. If the variables are in a file, the
// shim passes them: the command is readable in the list of processes.
func (e *Engine) shellCommand(c *processContainer, port int, hasEnvironment bool) string {
	words := shim.ExecCommand()
	if !hasEnvironment {
		words = []string{e.tools.env, "-i", "--"}
		for name, value := range e.environment(c, nil, port) {
			words = append(words, name+"="+value)
		}
	}
	words = append(words, c.file("image"))
	words = append(words, c.spec.Args...)
	for i, word := range words {
		words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return "exec " + strings.Join(words, " ") + "\n"
}

// closeFile closes a file that may be nil.
func closeFile(f *os.File) {
	if f != nil {
		_ = f.Close()
	}
}
