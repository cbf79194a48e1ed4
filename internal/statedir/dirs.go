package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Dirs deletes the state directories of games on one node. Only the directory of a game that
// was tracked can be deleted, because the parent directory may also contain others: those of
// another store, or of an operator.
//
// Tracked games are files in a directory of their own, so they survive a restart. Dirs uses
// os.Root and so follows no symbolic link below either directory. It is safe for concurrent
// use if no two calls of Remove concern the same game.
type Dirs struct {
	// Path is the parent of the state directories; it need not exist.
	Path string
	// TrackPath is the directory of the tracked games. It is created with the first.
	TrackPath string
}

// removedPrefix is the start of the name of a state directory that is being deleted. Name
// returns no such name.
const removedPrefix = ".deleted-"

// Track records the game, if it has a state directory.
func (d Dirs) Track(gameID string) error {
	if _, err := os.Lstat(filepath.Join(d.Path, Name(gameID))); err != nil {
		return ignoreNotExist(err)
	}
	if err := os.MkdirAll(d.TrackPath, 0o700); err != nil {
		return err
	}
	notes, err := os.OpenRoot(d.TrackPath)
	if err != nil {
		return err
	}
	defer func() { _ = notes.Close() }()
	if found, err := notes.ReadFile(Name(gameID)); err == nil && string(found) == gameID {
		return nil
	}
	return notes.WriteFile(Name(gameID), []byte(gameID), 0o600)
}

// Untrack drops the game.
func (d Dirs) Untrack(gameID string) error {
	notes, err := os.OpenRoot(d.TrackPath)
	if err != nil {
		return ignoreNotExist(err)
	}
	defer func() { _ = notes.Close() }()
	return ignoreNotExist(notes.Remove(Name(gameID)))
}

// Tracked returns the tracked games. It skips a file that does not contain the game of its
// name: the write of such a file was interrupted.
func (d Dirs) Tracked() ([]string, error) {
	notes, err := os.OpenRoot(d.TrackPath)
	if err != nil {
		return nil, ignoreNotExist(err)
	}
	defer func() { _ = notes.Close() }()
	entries, err := fs.ReadDir(notes.FS(), ".")
	if err != nil {
		return nil, err
	}
	var games []string
	for _, entry := range entries {
		gameID, err := notes.ReadFile(entry.Name())
		if err == nil && Name(string(gameID)) == entry.Name() {
			games = append(games, string(gameID))
		}
	}
	return games, nil
}

// Remove deletes the state directory of a tracked game and untracks the game. It renames the
// directory first, and then calls isDeleted: if the game exists after all, it renames the
// directory back. So a game that starts at the same time either keeps its directory or gets a
// new one. After an error the game is still tracked, and Remove can be repeated.
func (d Dirs) Remove(gameID string, isDeleted func() (bool, error)) error {
	states, err := os.OpenRoot(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return d.Untrack(gameID)
	}
	if err != nil {
		return err
	}
	defer func() { _ = states.Close() }()
	name := Name(gameID)
	// An earlier call that was interrupted may have left the renamed directory. Its game was
	// confirmed to be deleted, or it is confirmed now.
	_, errLeft := states.Lstat(removedPrefix + name)
	if errors.Is(errLeft, fs.ErrNotExist) {
		if err := ignoreNotExist(states.Rename(name, removedPrefix+name)); err != nil {
			return err
		}
	}
	deleted, err := isDeleted()
	if err != nil || !deleted {
		return errors.Join(err, restore(states, name))
	}
	if err := states.RemoveAll(removedPrefix + name); err != nil {
		return fmt.Errorf("delete the state directory %s: %w", filepath.Join(d.Path, removedPrefix+name), err)
	}
	if err := d.Untrack(gameID); err != nil {
		return err
	}
	// A directory remains if an earlier rename was interrupted: the next call deletes it. A game
	// that has started in the meantime has a new one, and its own call of Track may have found
	// the game still tracked.
	return d.Track(gameID)
}

// restore renames the directory of a game that exists back, unless the game has a new one.
func restore(states *os.Root, name string) error {
	if _, err := states.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return ignoreNotExist(states.Rename(removedPrefix+name, name))
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
