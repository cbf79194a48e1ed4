package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"
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

func defaultManager() Manager {
	return Manager{
		DockerEndpoint: EndpointPublished,
		NodeTTL:        10 * time.Second,
		NodeLostGrace:  30 * time.Second,
		ReconcileEvery: 10 * time.Second,
		HealthEvery:    5 * time.Second,
		CleanupAfter:   24 * time.Hour,
		BrakeShare:     0.5,
	}
}

func (m *Manager) bindManager(f *pflag.FlagSet) {
	f.StringVar(&m.ImagesDir, "images-dir", m.ImagesDir, "`DIR` of what the process engine runs, as NAME/VERSION; by default images below --data-dir")
	f.StringVar(&m.DockerHost, "docker-host", m.DockerHost, "`URL` of the Docker Engine, such as unix:///var/run/docker.sock")
	f.StringVar(&m.DockerNetwork, "docker-network", m.DockerNetwork, "`NAME` of the network that games join unless they name another")
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
	// etcd's leases count whole seconds, and some of it is kept as a margin.
	fault(m.NodeTTL < 2*time.Second || m.NodeTTL > time.Hour, "--node-ttl %s is not from 2s to 1h", m.NodeTTL)
	fault(m.NodeLostGrace < 0, "--node-lost-grace %s must not be negative", m.NodeLostGrace)
	fault(m.ReconcileEvery < 100*time.Millisecond, "--reconcile-every %s is too often; use 100ms or more", m.ReconcileEvery)
	fault(m.HealthEvery < 100*time.Millisecond, "--health-every %s is too often; use 100ms or more", m.HealthEvery)
	fault(m.CleanupAfter < 0, "--cleanup-after %s must not be negative; 0 is never", m.CleanupAfter)
	fault(!(m.BrakeShare > 0 && m.BrakeShare <= 1), "--brake-share %v is not more than 0 and at most 1", m.BrakeShare)
	return errors.Join(append(faults, m.validateAdvertise())...)
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
