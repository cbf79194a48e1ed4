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

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/gameports"
	"galaxy/rtmanager/internal/ports"
)

// StateDirName is the name of the default Config.StateDir below Config.Dir.
const StateDirName = "state"

// Config configures an Engine: its directories and the containers that it owns.
type Config struct {
	// Dir holds the containers. Required; Open creates it if necessary. Only one engine at a
	// time can use it. If it is not on the file system of ImagesDir, each container has a
	// copy of its executable instead of a hard link.
	Dir string
	// ImagesDir holds the images. Required; Open creates it if necessary. To replace an
	// image, rename a new file to its path; existing containers keep the old file.
	ImagesDir string
	// StateDir holds the state directory of each game; empty means Dir/state.
	StateDir string
	// Store, Region and Node are the labels of the containers that the engine owns. Store
	// and Node are required.
	Store, Region, Node string
	// Former holds the former names of the node. The engine owns their containers too, and
	// labels them with Region and Node.
	Former []node.Ref
	// Host is the host in endpoints; empty means 127.0.0.1. Games listen on all addresses,
	// independent of Host.
	Host string
	// GamePorts is the range of ports of the node for the ports of players. The zero value
	// rejects specs that leave the choice of such a port to the engine. It should not contain
	// the ephemeral ports of the machine.
	GamePorts gameports.Range
	// PublicAddress is the address at which players reach this node: an IP address or a DNS
	// name. Empty means Host.
	PublicAddress string
	// MaxLogBytes is the most that the log of a game has, in two files; the oldest output is
	// dropped. 0 means 16 MiB.
	MaxLogBytes int64
	// NoControlGroups runs games without control groups, also where the machine permits them.
	// Limits of CPUs and memory are then rejected.
	NoControlGroups bool
	// Secrets resolves the secrets of games at each start; nil rejects specs with secrets.
	Secrets ports.SecretResolver
	// EventBuffer is the number of events that are buffered for a slow consumer. If there
	// are more, the stream drops them and reports that events were missed. 0 means 4096.
	EventBuffer int
	// Logger logs faults that no method returns; nil discards them.
	Logger *slog.Logger
}

// tools are the programs of the machine that a start needs.
type tools struct{ sh, env string }

// complete sets defaults, validates the config, and creates the directories.
func (c *Config) complete() error {
	if c.Dir == "" || c.ImagesDir == "" || c.Store == "" || c.Node == "" {
		return errors.New("fields Dir, ImagesDir, Store and Node are required")
	}
	c.StateDir = cmp.Or(c.StateDir, filepath.Join(c.Dir, StateDirName))
	c.Host = cmp.Or(c.Host, "127.0.0.1")
	c.PublicAddress = cmp.Or(c.PublicAddress, c.Host)
	c.MaxLogBytes = cmp.Or(c.MaxLogBytes, 16<<20)
	c.EventBuffer = cmp.Or(c.EventBuffer, 4096)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
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
		return fmt.Errorf("directory %s has a = in its path, which the program env would treat as a variable; choose another directory", c.Dir)
	}
	return nil
}

// findTools returns the paths of the tools, or an error if the machine lacks one.
func findTools() (tools, error) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		return tools{}, fmt.Errorf("the process engine needs a shell: %w", err)
	}
	env, err := exec.LookPath("env")
	if err != nil {
		return tools{}, fmt.Errorf("the process engine needs the program env: %w", err)
	}
	return tools{sh: sh, env: env}, nil
}
