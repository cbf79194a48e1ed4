package processengine

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"strconv"

	"galaxy/rtmanager/internal/statedir"
)

// defaultPath is the PATH of a game whose spec has none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment returns all variables of the game. It contains none of the daemon's variables,
// which can be secret.
func (e *Engine) environment(c *processContainer, port int) map[string]string {
	labels := c.spec.Labels
	variables := map[string]string{
		"PATH": defaultPath,
		"HOME": filepath.Join(e.cfg.StateDir, statedir.Name(labels.GameID)),
	}
	maps.Copy(variables, c.spec.Env)
	maps.Copy(variables, map[string]string{
		"PORT":                 strconv.Itoa(port),
		"RTMANAGER_GAME_ID":    labels.GameID,
		"RTMANAGER_IMAGE":      labels.Image,
		"RTMANAGER_GENERATION": strconv.FormatInt(labels.Generation, 10),
	})
	return variables
}

// createStateDir creates the state directory of the game, if it does not exist.
func (e *Engine) createStateDir(gameID string) error {
	err := e.states.Mkdir(statedir.Name(gameID), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
