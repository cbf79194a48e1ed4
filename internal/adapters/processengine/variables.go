package processengine

import (
	"maps"
	"path/filepath"
	"strconv"
)

// defaultPath is where a game finds programs, unless its own PATH says otherwise.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// variables are all that the game gets. None is inherited: the daemon's may be
// secret.
func (e *Engine) variables(c *processContainer, port int) map[string]string {
	labels := c.spec.Labels
	variables := map[string]string{
		"PATH": defaultPath,
		"HOME": filepath.Join(e.cfg.StateDir, stateName(labels.GameID)),
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
