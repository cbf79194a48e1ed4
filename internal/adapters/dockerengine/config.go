package dockerengine

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/gameports"
	"galaxy/rtmanager/internal/ports"
)

// EndpointMode selects the address of a game's endpoint.
type EndpointMode string

// The endpoint modes.
const (
	// EndpointPublished is a port of the node, which the engine forwards to the container.
	EndpointPublished EndpointMode = "published"
	// EndpointContainer is the address of the container, for a daemon that runs in a
	// container on the same network. A port is published only if the spec names one.
	EndpointContainer EndpointMode = "container"
)

// Config configures an Engine. Store and Node are required; the zero value of another field
// means the default that its comment names.
type Config struct {
	// Host is the engine's address, such as unix:///var/run/docker.sock. Empty means the
	// value of DOCKER_HOST, or the default socket. An address on another machine needs TLS
	// with client certificates: DOCKER_CERT_PATH and DOCKER_TLS_VERIFY.
	Host string
	// Store is the identity of the store; Region and Node identify this node. They are
	// labels of every container, and containers with other values are not owned.
	Store, Region, Node string
	// Network is the network of a container whose spec names none. Default bridge.
	Network string
	// Networks are additional networks that a spec may name. Create rejects all others,
	// since programs that do not belong to the game can be on them.
	Networks []string
	// StateDir is an absolute path of a directory on the engine's machine. Each game has a
	// directory in it, mounted at /state, which outlives its containers. Empty means that
	// games have no state directory.
	StateDir string
	// Endpoints selects the address of endpoints. Default EndpointPublished.
	Endpoints EndpointMode
	// Address is the IP address of the node on which ports are published. Endpoints contain
	// it unless it is unspecified (0.0.0.0). Default 127.0.0.1.
	Address string
	// GamePorts is the range of ports of the node for the ports of players. The zero value
	// rejects specs that leave the choice of such a port to the engine. It should not contain
	// the ephemeral ports of the machine.
	GamePorts gameports.Range
	// PublicAddress is the address at which players reach this node: an IP address or a DNS
	// name. Ports of players are then published on all addresses of the machine, or on
	// PublicAddress if it is a loopback address. Empty means Address, for both.
	PublicAddress string
	// ContainerPort is the port that a game listens on inside its container if its spec
	// names none. Default 8080.
	ContainerPort int
	// User is the numeric UID:GID of games. Default the user of this process, which can
	// then share a state directory with them, and 65534:65534 instead of root.
	User string
	// PidsLimit limits the processes and threads of one container. Default 512.
	PidsLimit int64
	// MemoryBytes limits the memory of a container whose spec has no limit. Default no
	// limit.
	MemoryBytes int64
	// Secrets resolves the secrets of games; nil rejects specs with secrets. Docker keeps the
	// values in the configuration of the container, which its root user can read.
	Secrets ports.SecretResolver
	// Registries has the credentials of private registries; nil means that there are none.
	Registries ports.RegistryCredentials
	// WritableRoot makes the root file system writable, for images that need it.
	WritableRoot bool
	// CallTimeout bounds each call to the engine; Stop adds the grace. Default 30 s.
	CallTimeout time.Duration
	// PullIdleTimeout is how long a pull may make no progress. Default 2 min.
	PullIdleTimeout time.Duration
	// Logger logs the warnings of the engine. Default none.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Network = cmp.Or(c.Network, "bridge")
	c.Endpoints = cmp.Or(c.Endpoints, EndpointPublished)
	c.Address = cmp.Or(c.Address, "127.0.0.1")
	c.ContainerPort = cmp.Or(c.ContainerPort, 8080)
	c.User = cmp.Or(c.User, unprivilegedUser(os.Getuid(), os.Getgid()))
	c.PidsLimit = cmp.Or(c.PidsLimit, 512)
	c.CallTimeout = cmp.Or(c.CallTimeout, 30*time.Second)
	c.PullIdleTimeout = cmp.Or(c.PullIdleTimeout, 2*time.Minute)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	return c
}

// unprivilegedUser returns the default user of games. A number needs no entry in the image,
// which can have no /etc/passwd; 65534 is the conventional unprivileged user.
func unprivilegedUser(uid, gid int) string {
	if uid <= 0 {
		return "65534:65534"
	}
	return fmt.Sprintf("%d:%d", uid, gid)
}

// validate returns all invalid settings of a config with defaults.
func (c Config) validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format, args...))
	}
	if c.Store == "" || c.Node == "" {
		fault("store %q and node %q must not be empty: they identify the owner of a container", c.Store, c.Node)
	}
	if c.Endpoints != EndpointPublished && c.Endpoints != EndpointContainer {
		fault("endpoint mode %q is invalid; use %s or %s", c.Endpoints, EndpointPublished, EndpointContainer)
	}
	if _, err := netip.ParseAddr(c.Address); err != nil {
		fault("address %q is not an IP address of this node", c.Address)
	}
	if c.StateDir != "" && !filepath.IsAbs(c.StateDir) {
		fault("state directory %q must be absolute", c.StateDir)
	}
	if !isValidPort(c.ContainerPort) || c.ContainerPort == 0 {
		fault("container port %d must be 1 to 65535", c.ContainerPort)
	}
	if _, _, err := parseUser(c.User); err != nil {
		faults = append(faults, err)
	}
	if c.MemoryBytes != 0 && c.MemoryBytes < operation.MinMemoryBytes {
		fault("memory limit of %d bytes is less than the engine's minimum of %d", c.MemoryBytes, operation.MinMemoryBytes)
	}
	if c.PidsLimit < 0 || c.CallTimeout < 0 || c.PullIdleTimeout < 0 {
		fault("limits and timeouts must not be negative")
	}
	for _, name := range append([]string{c.Network}, c.Networks...) {
		faults = append(faults, validateNetwork(name))
	}
	return errors.Join(faults...)
}
