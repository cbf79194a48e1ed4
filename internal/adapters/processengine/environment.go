package processengine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"

	"galaxy/rtmanager/internal/adapters/processengine/internal/shim"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/gameports"
	"galaxy/rtmanager/internal/statedir"
)

// defaultPath is the PATH of a game whose spec has none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment returns all variables of the game, with the values of its secrets. It contains
// none of the daemon's variables, which can be secret.
func (e *Engine) environment(c *processContainer, secrets secret.Values, port int) map[string]string {
	labels := c.spec.Labels
	variables := map[string]string{
		"PATH": defaultPath,
		"HOME": filepath.Join(e.cfg.StateDir, statedir.Name(labels.GameID)),
	}
	maps.Copy(variables, secrets.Reveal())
	maps.Copy(variables, c.spec.Env)
	maps.Copy(variables, map[string]string{
		"PORT":                 strconv.Itoa(port),
		"RTMANAGER_GAME_ID":    labels.GameID,
		"RTMANAGER_IMAGE":      labels.Image,
		containerVariable:      c.id,
		"RTMANAGER_GENERATION": strconv.FormatInt(labels.Generation, 10),
	})
	for _, p := range c.spec.Ports {
		variables[gameports.Variable(p.Name)] = strconv.Itoa(p.Port)
	}
	return variables
}

// resolveSecrets returns the values of the secrets of the container. A secret that cannot be
// provided is operation.ErrStartFailed.
func (e *Engine) resolveSecrets(ctx context.Context, c *processContainer) (secret.Values, error) {
	switch {
	case len(c.spec.Secrets) == 0:
		return nil, nil
	case e.cfg.Secrets == nil:
		return nil, fmt.Errorf("%w: %w: %w", operation.ErrStartFailed, secret.ErrUnresolved, secret.ErrNoKeys)
	}
	env, err := e.cfg.Secrets.ResolveSecrets(ctx, c.spec.Labels.GameID, c.spec.Secrets)
	switch {
	case errors.Is(err, secret.ErrUnresolved):
		return nil, fmt.Errorf("%w: %w", operation.ErrStartFailed, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", container.ErrEngineUnavailable, err)
	}
	return env.Values, nil
}

// openEnvironment returns a file in memory with the variables of a game with secrets, which the
// shim passes on. Their values are neither in a file on disk nor in the arguments of a
// process. It returns nil for a game without secrets.
func (e *Engine) openEnvironment(c *processContainer, secrets secret.Values, port int) (*os.File, error) {
	if len(secrets) == 0 {
		return nil, nil //nolint:nilnil // a game without secrets needs no file
	}
	f, err := newMemoryFile("rtmanager-environment")
	if err != nil {
		return nil, err
	}
	_, err = f.Write(shim.EncodeEnvironment(e.environment(c, secrets, port)))
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// createStateDir creates the state directory of the game, if it does not exist.
func (e *Engine) createStateDir(gameID string) error {
	err := e.states.Mkdir(statedir.Name(gameID), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
