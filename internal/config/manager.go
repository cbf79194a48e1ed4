package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"galaxy/rtmanager/internal/domain/operation"
)

// Manager is every setting of the part of a daemon that runs games; none of it
// counts with --engine none.
type Manager struct {
	// ImagesDir is where the process engine finds what it runs, NAME/VERSION; empty is
	// images below the data directory.
	ImagesDir string
	// DockerHost is where the Docker Engine listens; empty is what DOCKER_HOST says, or
	// the usual socket. DockerNetwork is the network that games join unless they name
	// another; empty is Docker's own default.
	DockerHost, DockerNetwork string
	// DockerAllowNetwork are the networks that a game may name besides that one.
	DockerAllowNetwork []string
	// DockerAddress is the IP address of this host at which Docker publishes the ports
	// of games; DockerStateDir, when not empty, the directory of the engine's host below
	// which each game has one of its own at /state; DockerUser the UID:GID that games
	// run as, empty for the engine's own choice.
	DockerAddress, DockerStateDir, DockerUser string
	// DockerPidsLimit bounds the processes of one game, and DockerMemoryBytes the memory
	// of one whose start does not say; 0 is no limit of memory.
	DockerPidsLimit, DockerMemoryBytes int64
	// DockerEndpoint says how this daemon reaches games: published ports of this
	// host, or the containers' own addresses, for a daemon in a container beside them.
	DockerEndpoint string
	// Advertise is the URL at which other nodes reach this daemon's API; empty is
	// the address that it listens on.
	Advertise string
	// NodeTTL is how long a node may be silent before it counts as gone; at least 2 s.
	NodeTTL time.Duration
	// NodeLostGrace is how long a node has to be gone before its games are started
	// elsewhere, where their policy says so.
	NodeLostGrace time.Duration
	// ReconcileEvery is the time between two passes over all games of the node.
	ReconcileEvery time.Duration
	// HealthEvery is the time between two health checks of a game.
	HealthEvery time.Duration
	// CleanupAfter is how long a game has to be stopped before its container is
	// removed; 0 is never.
	CleanupAfter time.Duration
	// BrakeShare is the share of the node's games above which one pass must not take
	// records or containers away, more than 0 and at most 1.
	BrakeShare float64
}

// The words of DockerEndpoint.
const (
	EndpointPublished = "published"
	EndpointContainer = "container"
)

var (
	networkName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
	numericUser = regexp.MustCompile(`^[0-9]{1,10}:[0-9]{1,10}$`)
)

func defaultManager() Manager {
	return Manager{
		DockerEndpoint:  EndpointPublished,
		DockerAddress:   "127.0.0.1",
		DockerPidsLimit: 512,
		NodeTTL:         10 * time.Second,
		NodeLostGrace:   30 * time.Second,
		ReconcileEvery:  10 * time.Second,
		HealthEvery:     5 * time.Second,
		CleanupAfter:    24 * time.Hour,
		BrakeShare:      0.5,
	}
}

func (m *Manager) bindManager(f *pflag.FlagSet) {
	f.StringVar(&m.ImagesDir, "images-dir", m.ImagesDir, "`DIR` of what the process engine runs, as NAME/VERSION; by default images below --data-dir")
	f.StringVar(&m.DockerHost, "docker-host", m.DockerHost, "`URL` of the Docker Engine, such as unix:///var/run/docker.sock")
	f.StringVar(&m.DockerNetwork, "docker-network", m.DockerNetwork, "`NAME` of the network that games join unless they name another")
	f.StringSliceVar(&m.DockerAllowNetwork, "docker-allow-network", m.DockerAllowNetwork, "further networks that games may name, `NAME,NAME` or the flag again; never host or none")
	f.StringVar(&m.DockerAddress, "docker-address", m.DockerAddress, "`IP` of this host at which the ports of games are published, and by which others reach them")
	f.StringVar(&m.DockerStateDir, "docker-state-dir", m.DockerStateDir, "`DIR` on the Docker host below which each game keeps its /state; by default games keep none")
	f.StringVar(&m.DockerUser, "docker-user", m.DockerUser, "`UID:GID` that games run as; by default this daemon's own, and nobody in place of root")
	f.Int64Var(&m.DockerPidsLimit, "docker-pids-limit", m.DockerPidsLimit, "processes and threads that one game may have")
	f.Int64Var(&m.DockerMemoryBytes, "docker-memory-bytes", m.DockerMemoryBytes, "memory of a game whose start names no limit, at least 6291456; 0 is no limit")
	f.StringVar(&m.DockerEndpoint, "docker-endpoint", m.DockerEndpoint, "how this daemon reaches games: `published|container`, by ports of this host or by the containers' own addresses")
	f.StringVar(&m.Advertise, "advertise", m.Advertise, "`URL` at which other nodes reach this daemon's API; by default the address of --listen")
	f.DurationVar(&m.NodeTTL, "node-ttl", m.NodeTTL, "how long a node may be silent before it counts as gone")
	f.DurationVar(&m.NodeLostGrace, "node-lost-grace", m.NodeLostGrace, "how long a node has to be gone before its games are started elsewhere, where their policy says so")
	f.DurationVar(&m.ReconcileEvery, "reconcile-every", m.ReconcileEvery, "time between two passes over all games of this node")
	f.DurationVar(&m.HealthEvery, "health-every", m.HealthEvery, "time between two health checks of a game")
	f.DurationVar(&m.CleanupAfter, "cleanup-after", m.CleanupAfter, "how long a game has to be stopped before its container is removed; 0 is never")
	f.Float64Var(&m.BrakeShare, "brake-share", m.BrakeShare, "`SHARE` of this node's games above which one pass must not take records or containers away")
}

func (m Manager) validateManager() error {
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(m.DockerEndpoint != EndpointPublished && m.DockerEndpoint != EndpointContainer,
		"--docker-endpoint %q is neither %s nor %s", m.DockerEndpoint, EndpointPublished, EndpointContainer)
	_, err := netip.ParseAddr(m.DockerAddress)
	fault(err != nil, "--docker-address %q is not an IP address, such as 0.0.0.0 for all of this host's", m.DockerAddress)
	fault(m.DockerStateDir != "" && !filepath.IsAbs(m.DockerStateDir), "--docker-state-dir %q must be absolute", m.DockerStateDir)
	fault(m.DockerPidsLimit < 1, "--docker-pids-limit %d must be 1 or more", m.DockerPidsLimit)
	fault(m.DockerMemoryBytes != 0 && m.DockerMemoryBytes < operation.MinMemoryBytes,
		"--docker-memory-bytes %d is less than %d, with which Docker starts nothing; 0 is no limit", m.DockerMemoryBytes, operation.MinMemoryBytes)
	fault(m.DockerUser != "" && !numericUser.MatchString(m.DockerUser), "--docker-user %q is not two numbers, UID:GID", m.DockerUser)
	fault(m.DockerNetwork != "" && !joinable(m.DockerNetwork), "--docker-network %q is not a network that games may join; name one of its own", m.DockerNetwork)
	for _, name := range m.DockerAllowNetwork {
		fault(!joinable(name), "--docker-allow-network %q is not a network that games may join; name one of its own", name)
	}
	// etcd's leases count whole seconds, and some of it is kept as a margin.
	fault(m.NodeTTL < 2*time.Second || m.NodeTTL > time.Hour, "--node-ttl %s is not from 2s to 1h", m.NodeTTL)
	fault(m.NodeLostGrace < 0, "--node-lost-grace %s must not be negative", m.NodeLostGrace)
	fault(m.ReconcileEvery < 100*time.Millisecond, "--reconcile-every %s is too often; use 100ms or more", m.ReconcileEvery)
	fault(m.HealthEvery < 100*time.Millisecond, "--health-every %s is too often; use 100ms or more", m.HealthEvery)
	fault(m.CleanupAfter < 0, "--cleanup-after %s must not be negative; 0 is never", m.CleanupAfter)
	fault(!(m.BrakeShare > 0 && m.BrakeShare <= 1), "--brake-share %v is not more than 0 and at most 1", m.BrakeShare)
	return errors.Join(append(faults, m.validateAdvertise())...)
}

// joinable reports whether games may be in the network of that name: not in one that
// is this host's, a container's or none. The Docker engine refuses those too, but
// --engine auto would take that for a machine without Docker.
func joinable(network string) bool {
	return networkName.MatchString(network) && network != "host" && network != "none" && network != "default"
}

func (m Manager) validateAdvertise() error {
	if m.Advertise == "" {
		return nil
	}
	u, err := url.Parse(m.Advertise)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return fmt.Errorf("--advertise %q is not a URL such as http://10.0.0.7:8080", m.Advertise)
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && addr.IsUnspecified() {
		return fmt.Errorf("--advertise %q is no address that other nodes could reach", m.Advertise)
	}
	return nil
}
