package dockerengine

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
)

// EndpointMode says how a game is reached.
type EndpointMode string

// The modes.
const (
	// EndpointPublished: at a port of the node, which the engine forwards.
	EndpointPublished EndpointMode = "published"
	// EndpointContainer: at the container's own address, for a daemon that runs
	// in a container on the same network. A port is published only if the spec
	// names one.
	EndpointContainer EndpointMode = "container"
)

// Config tunes an Engine. Store and Node are required; for the rest a zero value
// means the default named beside it.
type Config struct {
	// Host is the engine's address, such as unix:///var/run/docker.sock. Empty is
	// what DOCKER_HOST says, and else the default socket. An address that is not
	// on this machine needs TLS in both directions: DOCKER_CERT_PATH and
	// DOCKER_TLS_VERIFY.
	Host string
	// Store is the identity of the store, and Region and Node are this node's:
	// they go into the labels, and a container of others is not ours.
	Store, Region, Node string
	// Network is the network of a container whose spec names none. Default bridge.
	Network string
	// Networks are those that a spec may name besides. A game in any other would be
	// among programs that it has nothing to do with: it is refused.
	Networks []string
	// StateDir is a directory on the engine's machine, absolute, under which each
	// game gets one of its own, mounted at /state. It belongs to the game: it
	// outlives its containers. Empty: games have no state directory.
	StateDir string
	// Endpoints is how games are reached. Default EndpointPublished.
	Endpoints EndpointMode
	// Address is the IP address of the node that ports are published at, and by
	// which endpoints name it, unless it is unspecified (0.0.0.0). Default 127.0.0.1.
	Address string
	// ContainerPort is the port that a game listens on inside where its spec names
	// none. Default 8080.
	ContainerPort int
	// User is the numeric UID:GID that games run as. Default this process's own,
	// so that it may share a state directory, and 65534:65534 in place of root.
	User string
	// PidsLimit bounds the processes and threads of one container. Default 512.
	PidsLimit int64
	// MemoryBytes limits the memory of a container whose spec does not. Default no limit.
	MemoryBytes int64
	// WritableRoot lets games write to their root file system, for images that
	// cannot do without.
	WritableRoot bool
	// CallTimeout bounds each call to the engine; a Stop has the grace on top.
	// Default 30 s.
	CallTimeout time.Duration
	// PullSilence is how long a pull may go on without a sign of progress.
	// Default 2 min.
	PullSilence time.Duration
	// Logger gets what the engine warns of. Default none.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	orDefault(&c.Network, "bridge")
	orDefault(&c.Endpoints, EndpointPublished)
	orDefault(&c.Address, "127.0.0.1")
	orDefault(&c.ContainerPort, 8080)
	orDefault(&c.User, unprivileged(os.Getuid(), os.Getgid()))
	orDefault(&c.PidsLimit, 512)
	orDefault(&c.CallTimeout, 30*time.Second)
	orDefault(&c.PullSilence, 2*time.Minute)
	orDefault(&c.Logger, slog.New(slog.DiscardHandler))
	return c
}

func orDefault[T comparable](value *T, otherwise T) {
	if *value == *new(T) {
		*value = otherwise
	}
}

// unprivileged is the user that games run as. The number needs no entry in the
// image, which may have no file of users at all; 65534 is nobody.
func unprivileged(uid, gid int) string {
	if uid <= 0 {
		return "65534:65534"
	}
	return fmt.Sprintf("%d:%d", uid, gid)
}

// validate returns every fault of a config that has its defaults.
func (c Config) validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format, args...))
	}
	if c.Store == "" || c.Node == "" {
		fault("store %q and node %q must not be empty; they tell whose a container is", c.Store, c.Node)
	}
	if c.Endpoints != EndpointPublished && c.Endpoints != EndpointContainer {
		fault("endpoint mode %q is not known; use %s or %s", c.Endpoints, EndpointPublished, EndpointContainer)
	}
	if _, err := netip.ParseAddr(c.Address); err != nil {
		fault("address %q is not an IP address of this node", c.Address)
	}
	if c.StateDir != "" && !filepath.IsAbs(c.StateDir) {
		fault("state directory %q must be absolute", c.StateDir)
	}
	if !validPort(c.ContainerPort) || c.ContainerPort == 0 {
		fault("container port %d must be 1 to 65535", c.ContainerPort)
	}
	if _, _, err := userNumbers(c.User); err != nil {
		faults = append(faults, err)
	}
	if c.MemoryBytes != 0 && c.MemoryBytes < operation.MinMemoryBytes {
		fault("memory of %d bytes is less than %d, with which the engine starts nothing", c.MemoryBytes, operation.MinMemoryBytes)
	}
	if c.PidsLimit < 0 || c.CallTimeout < 0 || c.PullSilence < 0 {
		fault("limits and timeouts must not be negative")
	}
	for _, name := range append([]string{c.Network}, c.Networks...) {
		faults = append(faults, refuseNetwork(name))
	}
	return errors.Join(faults...)
}
