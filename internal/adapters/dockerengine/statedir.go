package dockerengine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/domain/runtime"
)

// stateTarget is where a game finds its state directory.
const stateTarget = "/state"

// makeStateDir makes the game's state directory, writable to the user that games
// run as and to nobody else, and returns its path; empty if games have none.
func (e *Engine) makeStateDir(gameID string) (string, error) {
	if e.cfg.StateDir == "" {
		return "", nil
	}
	dir := filepath.Join(e.cfg.StateDir, dirName(gameID))
	uid, gid, err := userNumbers(e.cfg.User)
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
		return "", &runtime.InvalidError{Field: "state_path", Reason: fmt.Sprintf("%s cannot be made: %s", dir, err)}
	}
	return dir, nil
}

// dirName is a file name for any game id, and for no two the same one: what is
// not a letter, a digit, - or _ is %XX, and a long name ends in its digest.
func dirName(gameID string) string {
	var name strings.Builder
	for _, b := range []byte(gameID) {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '-', b == '_':
			name.WriteByte(b)
		default:
			fmt.Fprintf(&name, "%%%02X", b)
		}
	}
	if name.Len() <= 128 {
		return name.String()
	}
	digest := sha256.Sum256([]byte(gameID))
	return name.String()[:128] + "-" + hex.EncodeToString(digest[:])
}

// userNumbers reads UID:GID.
func userNumbers(user string) (uid, gid int, err error) {
	first, second, ok := strings.Cut(user, ":")
	uid, uidErr := strconv.Atoi(first)
	gid, gidErr := strconv.Atoi(second)
	if !ok || uidErr != nil || gidErr != nil || uid < 0 || gid < 0 {
		return 0, 0, fmt.Errorf("user %q must be two numbers, UID:GID", user)
	}
	return uid, gid, nil
}
