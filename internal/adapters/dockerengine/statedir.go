package dockerengine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/statedir"
)

// stateMountPath is the path of the state directory inside a container.
const stateMountPath = "/state"

// makeStateDir creates the state directory of the game, accessible only to the user that
// games run as, and returns its path; empty if games have no state directory.
func (e *Engine) makeStateDir(gameID string) (string, error) {
	if e.cfg.StateDir == "" {
		return "", nil
	}
	dir := filepath.Join(e.cfg.StateDir, statedir.Name(gameID))
	uid, gid, err := parseUser(e.cfg.User)
	if err == nil {
		err = os.MkdirAll(e.cfg.StateDir, 0o711)
	}
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err == nil || errors.Is(err, fs.ErrExist) {
		err = os.Chown(dir, uid, gid)
	}
	if err != nil {
		return "", &runtime.InvalidError{Field: "state_path", Reason: fmt.Sprintf("%s cannot be created: %s", dir, err)}
	}
	return dir, nil
}

// parseUser parses UID:GID.
func parseUser(user string) (uid, gid int, err error) {
	first, second, ok := strings.Cut(user, ":")
	uid, uidErr := strconv.Atoi(first)
	gid, gidErr := strconv.Atoi(second)
	if !ok || uidErr != nil || gidErr != nil || uid < 0 || gid < 0 {
		return 0, 0, fmt.Errorf("user %q must be two numbers, UID:GID", user)
	}
	return uid, gid, nil
}
