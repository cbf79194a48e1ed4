package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/gameports"
)

// NodeManager are the settings of the part of a daemon that runs games. They have no effect
// with EngineNone.
type NodeManager struct {
	// ImagesDir is the directory of the process engine's images, as NAME/VERSION. Empty
	// means images below DataDir.
	ImagesDir string
	// DockerHost is the address of the Docker Engine. Empty means DOCKER_HOST, or the
	// default socket.
	DockerHost string
	// DockerNetwork is the network of games whose spec names none. Empty means Docker's
	// default network.
	DockerNetwork string
	// DockerAllowNetwork are further networks that a spec may name.
	DockerAllowNetwork []string
	// DockerAddress is the IP address of this host at which Docker publishes the ports
	// of games. Default 127.0.0.1.
	DockerAddress string
	// DockerStateDir is the absolute directory on the Docker host below which each game
	// has its own directory, mounted at /state. Empty means no state directories.
	DockerStateDir string
	// DockerUser is the UID:GID of the games' processes. Empty leaves the choice to the
	// engine.
	DockerUser string
	// DockerPidsLimit is the maximum number of processes of one game. Default 512.
	DockerPidsLimit int64
	// DockerMemoryBytes is the memory limit of a game whose spec has none. Default 0,
	// which means no limit.
	DockerMemoryBytes int64
	// DockerEndpoint is how this daemon reaches games: an Endpoint constant. Default
	// EndpointPublished.
	DockerEndpoint string
	// GamePorts is the range of ports of this host for the ports of players, as FIRST-LAST. It
	// should not contain the host's ephemeral ports. Default 20000-29999. Empty means that
	// each port of players needs a number in the spec of its game.
	GamePorts string
	// PublicAddress is the IP address or DNS name at which players reach this host. Empty
	// means DockerAddress, or the loopback address with the process engine.
	PublicAddress string
	// Advertise is the URL at which other nodes reach this daemon's API. Empty means the
	// listen address.
	Advertise string
	// NodeTTL is how long a node may be unresponsive before it is considered lost; from
	// 2 s to 1 h. Default 10 s.
	NodeTTL time.Duration
	// NodeLostGrace is how long a node must be lost before its games are rescheduled, if
	// their policy requires that. Default 30 s.
	NodeLostGrace time.Duration
	// PlannedStopGrace is how long a node may be absent after its daemon stopped as planned
	// before its games are rescheduled, if their policy requires that; 0 means forever. Default
	// 10 min.
	PlannedStopGrace time.Duration
	// ReconcileEvery is the interval of full reconcile passes over the node's games; at
	// least 100 ms. Default 10 s.
	ReconcileEvery time.Duration
	// HealthEvery is the interval of health checks of a game; at least 100 ms. Default
	// 5 s.
	HealthEvery time.Duration
	// CleanupAfter is how long a game must be stopped before its container is removed; 0
	// means never. Default 24 h.
	CleanupAfter time.Duration
	// RemovedRetention is how long a removed game is kept, from its removal, before it is
	// deleted with its history and its state directory; 0 means forever. Default 7 days.
	RemovedRetention time.Duration
	// RestoreGames is whether games that ended with their engine or machine are started when
	// it is back, if their desired status is running. Default true.
	RestoreGames bool
	// AllowExec is whether callers with the permission exec may run commands in the games of this node. Default true.
	AllowExec bool
	// BrakeShare is the share of the node's games, more than 0 and at most 1, above
	// which one pass must not remove records or containers. Default 0.5.
	BrakeShare float64
}

// The values of DockerEndpoint: published ports of this host, or the containers' own
// addresses, for a daemon in a container on the same network.
const (
	EndpointPublished = "published"
	EndpointContainer = "container"
)

var (
	networkName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
	numericUser = regexp.MustCompile(`^[0-9]{1,10}:[0-9]{1,10}$`)
)

func defaultNodeManager() NodeManager {
	return NodeManager{
		DockerEndpoint:   EndpointPublished,
		DockerAddress:    "127.0.0.1",
		DockerPidsLimit:  512,
		GamePorts:        "20000-29999",
		NodeTTL:          10 * time.Second,
		NodeLostGrace:    30 * time.Second,
		PlannedStopGrace: 10 * time.Minute,
		ReconcileEvery:   10 * time.Second,
		HealthEvery:      5 * time.Second,
		CleanupAfter:     24 * time.Hour,
		RemovedRetention: 7 * 24 * time.Hour,
		BrakeShare:       0.5,
		RestoreGames:     true,
		AllowExec:        true,
	}
}

func (m *NodeManager) bindNodeManager(f *pflag.FlagSet) {
	f.StringVar(&m.ImagesDir, "images-dir", m.ImagesDir, "`DIR` of the process engine's images, as NAME/VERSION (default images below --data-dir)")
	f.StringVar(&m.DockerHost, "docker-host", m.DockerHost, "`URL` of the Docker Engine, such as unix:///var/run/docker.sock (default DOCKER_HOST)")
	f.StringVar(&m.DockerNetwork, "docker-network", m.DockerNetwork, "`NAME` of the network of games whose spec names none")
	f.StringSliceVar(&m.DockerAllowNetwork, "docker-allow-network", m.DockerAllowNetwork, "further networks that a spec may name, `NAME,NAME`, repeatable; host and none are not allowed")
	f.StringVar(&m.DockerAddress, "docker-address", m.DockerAddress, "`IP` address of this host at which the ports of games are published")
	f.StringVar(&m.DockerStateDir, "docker-state-dir", m.DockerStateDir, "`DIR` on the Docker host for the /state of each game (default no state)")
	f.StringVar(&m.DockerUser, "docker-user", m.DockerUser, "`UID:GID` of the games' processes (default those of this daemon; 65534:65534 if it is root)")
	f.Int64Var(&m.DockerPidsLimit, "docker-pids-limit", m.DockerPidsLimit, "maximum number of processes and threads of one game")
	f.Int64Var(&m.DockerMemoryBytes, "docker-memory-bytes", m.DockerMemoryBytes, "memory limit in bytes of a game whose spec has none, at least 6291456; 0 means no limit")
	f.StringVar(&m.DockerEndpoint, "docker-endpoint", m.DockerEndpoint, "how this daemon reaches games: `published|container`, by published ports of this host or by the containers' addresses")
	f.StringVar(&m.GamePorts, "game-ports", m.GamePorts, "range of ports of this host for the ports of players, `FIRST-LAST`; it should not contain ephemeral ports")
	f.StringVar(&m.PublicAddress, "public-address", m.PublicAddress, "`ADDRESS` at which players reach this host: an IPv4 or IPv6 address or a DNS name (default --docker-address, or 127.0.0.1 with the process engine)")
	f.StringVar(&m.Advertise, "advertise", m.Advertise, "`URL` at which other nodes reach this daemon's API (default the address of --listen)")
	f.DurationVar(&m.NodeTTL, "node-ttl", m.NodeTTL, "how long a node may be unresponsive before it is considered lost")
	f.DurationVar(&m.NodeLostGrace, "node-lost-grace", m.NodeLostGrace, "how long a node must be lost before its games are rescheduled, if their policy requires that")
	f.DurationVar(&m.PlannedStopGrace, "planned-stop-grace", m.PlannedStopGrace, "how long a node may be absent after its daemon stopped as planned before its games are rescheduled; 0 means forever")
	f.DurationVar(&m.ReconcileEvery, "reconcile-every", m.ReconcileEvery, "interval of full reconcile passes over the games of this node")
	f.DurationVar(&m.HealthEvery, "health-every", m.HealthEvery, "interval of health checks of a game")
	f.DurationVar(&m.CleanupAfter, "cleanup-after", m.CleanupAfter, "how long a game must be stopped before its container is removed; 0 means never")
	f.DurationVar(&m.RemovedRetention, "removed-retention", m.RemovedRetention, "how long a removed game is kept before it is deleted with its history and its state directory; 0 means forever")
	f.BoolVar(&m.RestoreGames, "restore-games", m.RestoreGames, "start the games that ended with their engine or machine, without counting an attempt of their crash policy")
	f.BoolVar(&m.AllowExec, "allow-exec", m.AllowExec, "run commands in the games of this node for callers with the role executor or admin")
	f.Float64Var(&m.BrakeShare, "brake-share", m.BrakeShare, "`SHARE` of this node's games above which one pass must not remove records or containers, up to 1")
}

func (m NodeManager) validateNodeManager() error {
	var v violations
	v.addIf(m.DockerEndpoint != EndpointPublished && m.DockerEndpoint != EndpointContainer,
		"--docker-endpoint %q is neither %s nor %s", m.DockerEndpoint, EndpointPublished, EndpointContainer)
	_, err := netip.ParseAddr(m.DockerAddress)
	v.addIf(err != nil, "--docker-address %q is not an IP address; use 0.0.0.0 for all addresses of this host", m.DockerAddress)
	v.add(m.validatePlayerAccess())
	v.addIf(m.DockerStateDir != "" && !filepath.IsAbs(m.DockerStateDir), "--docker-state-dir %q must be absolute", m.DockerStateDir)
	v.addIf(m.DockerPidsLimit < 1, "--docker-pids-limit %d must be 1 or more", m.DockerPidsLimit)
	v.addIf(m.DockerMemoryBytes != 0 && m.DockerMemoryBytes < operation.MinMemoryBytes,
		"--docker-memory-bytes %d is less than %d, the minimum of Docker; 0 means no limit", m.DockerMemoryBytes, operation.MinMemoryBytes)
	v.addIf(m.DockerUser != "" && !numericUser.MatchString(m.DockerUser), "--docker-user %q is not two numbers, UID:GID", m.DockerUser)
	v.addIf(m.DockerNetwork != "" && !isJoinable(m.DockerNetwork), "--docker-network %q is not a network that games may join; use a user-defined network", m.DockerNetwork)
	for _, name := range m.DockerAllowNetwork {
		v.addIf(!isJoinable(name), "--docker-allow-network %q is not a network that games may join; use a user-defined network", name)
	}
	// etcd leases last whole seconds, and the node trusts its lease for only a part of them.
	v.addIf(m.NodeTTL < 2*time.Second || m.NodeTTL > time.Hour, "--node-ttl %s is not from 2s to 1h", m.NodeTTL)
	v.addIf(m.NodeLostGrace < 0, "--node-lost-grace %s must not be negative", m.NodeLostGrace)
	v.addIf(m.PlannedStopGrace < 0, "--planned-stop-grace %s must not be negative; 0 means forever", m.PlannedStopGrace)
	v.addIf(m.ReconcileEvery < 100*time.Millisecond, "--reconcile-every %s is too short; use 100ms or more", m.ReconcileEvery)
	v.addIf(m.HealthEvery < 100*time.Millisecond, "--health-every %s is too short; use 100ms or more", m.HealthEvery)
	v.addIf(m.CleanupAfter < 0, "--cleanup-after %s must not be negative; 0 means never", m.CleanupAfter)
	v.addIf(m.RemovedRetention < 0, "--removed-retention %s must not be negative; 0 means forever", m.RemovedRetention)
	v.addIf(!(m.BrakeShare > 0 && m.BrakeShare <= 1), "--brake-share %v is not more than 0 and at most 1", m.BrakeShare)
	v.add(m.validateAdvertise())
	return v.join()
}

// dnsName matches a name of the DNS of at most 253 characters.
var dnsName = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*\.?$`)

// validatePlayerAccess checks how players reach the games of this host.
func (m NodeManager) validatePlayerAccess() error {
	var v violations
	if _, err := gameports.ParseRange(m.GamePorts); err != nil {
		v.add(fmt.Errorf("--game-ports %w", err))
	}
	if m.PublicAddress == "" {
		return v.join()
	}
	address, err := netip.ParseAddr(m.PublicAddress)
	if err == nil {
		v.addIf(address.IsUnspecified() || address.IsMulticast() || address.Zone() != "", "--public-address %q is not an address that players can reach", m.PublicAddress)
	} else {
		isName := len(m.PublicAddress) <= 253 && dnsName.MatchString(m.PublicAddress)
		v.addIf(!isName, "--public-address %q is neither an IP address nor a DNS name; write it without port, scheme and brackets", m.PublicAddress)
	}
	return v.join()
}

// isJoinable reports whether games may join the network of that name. They may not join
// those of the host or of a container. The Docker engine rejects those too, but --engine
// auto would treat that error as a machine without Docker.
func isJoinable(network string) bool {
	return networkName.MatchString(network) && network != "host" && network != "none" && network != "default"
}

func (m NodeManager) validateAdvertise() error {
	if m.Advertise == "" {
		return nil
	}
	u, err := url.Parse(m.Advertise)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return fmt.Errorf("--advertise %q is not a URL such as http://10.0.0.7:8080", m.Advertise)
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && addr.IsUnspecified() {
		return fmt.Errorf("--advertise %q is not an address that other nodes can reach", m.Advertise)
	}
	return nil
}
