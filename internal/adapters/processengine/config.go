package processengine

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Config says where an engine keeps things and whose containers it sees.
type Config struct {
	// Dir holds the containers. Required; made if it is not there. One engine uses
	// it at a time. It should lie on the filesystem of ImagesDir, or each container
	// has a copy of its executable.
	Dir string
	// ImagesDir holds the images. Required; made if it is not there. To replace an
	// image move the new file there; containers that were made keep the old one.
	ImagesDir string
	// StateDir holds a directory for each game; empty is Dir/state.
	StateDir string
	// Store, Region and Node are on the labels of the containers that the engine
	// sees. Store and Node are required.
	Store, Region, Node string
	// Host is how the node is called in endpoints; empty is 127.0.0.1. Games listen
	// on all addresses whatever it is.
	Host string
	// MaxLogBytes is how large a game's log may be before all but its end is
	// dropped, which is looked after once a minute and at each start; 0 is 16 MiB.
	MaxLogBytes int64
	// EventBuffer is how many events wait for a slow consumer before they are
	// dropped and it is told so; 0 is 4096.
	EventBuffer int
	// Logger is told what no caller is; nil discards it.
	Logger *slog.Logger
}

// tools are the programs of the machine that a start needs.
type tools struct{ sh, env string }

func (c *Config) complete() error {
	if c.Dir == "" || c.ImagesDir == "" || c.Store == "" || c.Node == "" {
		return errors.New("fields Dir, ImagesDir, Store and Node are required")
	}
	c.StateDir = cmp.Or(c.StateDir, filepath.Join(c.Dir, "state"))
	c.Host = cmp.Or(c.Host, "127.0.0.1")
	c.MaxLogBytes = cmp.Or(c.MaxLogBytes, 16<<20)
	c.EventBuffer = cmp.Or(c.EventBuffer, 4096)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for _, dir := range []struct {
		path *string
		mode os.FileMode
	}{{&c.Dir, 0o700}, {&c.ImagesDir, 0o755}, {&c.StateDir, 0o700}} {
		absolute, err := filepath.Abs(*dir.path)
		if err != nil {
			return fmt.Errorf("directory %s: %w", *dir.path, err)
		}
		*dir.path = absolute
		if err := os.MkdirAll(absolute, dir.mode); err != nil {
			return err
		}
	}
	if strings.Contains(c.Dir, "=") {
		return fmt.Errorf("directory %s has a = in its name, which env would take for a variable; choose another", c.Dir)
	}
	return nil
}

func findTools() (tools, error) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		return tools{}, fmt.Errorf("a start needs a shell: %w", err)
	}
	env, err := exec.LookPath("env")
	if err != nil {
		return tools{}, fmt.Errorf("a start needs env: %w", err)
	}
	return tools{sh: sh, env: env}, nil
}
