package httpserver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/ports"
)

// Authenticator proves the identity of callers, and knows their rights; services/auth
// implements it.
type Authenticator = callers.Authenticator

// Config tunes a Server. The zero value is valid; a zero duration or number means the
// default.
type Config struct {
	// Logger receives one line for each write and each failure. Default: none.
	Logger *slog.Logger
	// Registry receives the server's metrics, and is served at /metrics. Default: a new one.
	Registry *prometheus.Registry
	// Ready has further conditions of readiness, by name. Each returns nil, or the reason
	// why it does not hold. The server always checks that the store responds.
	Ready map[string]func() error
	// StoreProvenAt returns when the store last proved that it responds, zero for never.
	// Default: at the last successful probe.
	StoreProvenAt func() time.Time
	// StoreFailure returns why the store cannot be reached, as a text for operators, and nil if
	// it is not known. Default: it is not known.
	StoreFailure func() error
	// Regions returns the states of the regions, without a request. Lists and watches contain
	// them. Default: they are not known.
	Regions func() []node.RegionState
	// ReadOnly returns why the daemon accepts no writes at present, and nil if it does.
	// The daemon remains ready. Default: it always accepts writes.
	ReadOnly func() error
	// Version, Region and Node describe the daemon, in /v1/cluster and the metrics.
	Version, Region, Node string
	// Cluster carries out operations and requests about nodes. Default: they fail with the
	// code no_engine.
	Cluster Cluster
	// Intents reads the operations and specs of games. Default: requests about them fail with the code
	// no_engine.
	Intents Intents
	// Games are the games of this node. Default: requests about them fail with the code
	// no_engine.
	Games Games
	// Maintenance changes the settings of nodes and regions; nil for a daemon that is not part
	// of a cluster.
	Maintenance Maintenance
	// Rollouts starts and changes rollouts. Default: requests about them fail with the code no_engine.
	Rollouts Rollouts
	// Peers forwards operations to other nodes. It is required with Cluster.
	Peers Forwarder
	// Federation calls other stores. Default: there are none.
	Federation Federation
	// TLS has the settings with which the API is served over https, including the certificate.
	// Default: the API is served over http.
	TLS *tls.Config
	// IsServedHost reports whether a host name belongs to this daemon, in addition to
	// localhost and loopback addresses. Others are rejected on loopback connections.
	// Default: no other name does.
	IsServedHost func(host string) bool
	// IsClientAuthority reports whether client certificates of an authority are still accepted, on
	// connections that are open already. Default: they are.
	IsClientAuthority func(authority *x509.Certificate) bool
	// Access authenticates callers and knows their rights. nil means that every caller has
	// all rights.
	Access Authenticator
	// AccessAdmin keeps tokens and roles. Default: requests about them fail with the code
	// no_engine.
	AccessAdmin AccessAdmin
	// OIDC names the identity provider with which users log in; nil for none.
	OIDC *api.OIDC
	// Secrets keeps secrets. Default: requests about them fail with the code no_secret_keys.
	Secrets Secrets
	// Members describes and removes the etcd members of the store. Default: requests about them
	// fail with the code no_engine.
	Members Members
	// Certificates returns the certificates in use. Default: none.
	Certificates func() []api.CertificateFile
	// Audit records mutations, denied requests and reads of secret values. While it cannot,
	// mutations fail with the code audit_unavailable. nil records nothing.
	Audit ports.AuditLog
	// Limits bound what one caller can use. Default: no limits.
	Limits Limits
	// InsecureHosts allows any Host header on loopback connections, which exposes the API
	// to DNS rebinding.
	InsecureHosts bool
	// NoCommands rejects requests for commands in games of this node.
	NoCommands bool
	// Clock returns the time of a transition whose caller gives none. Default: time.Now.
	Clock func() time.Time

	// Heartbeat is the longest time between two writes to a stream. Default 15 s.
	Heartbeat time.Duration
	// OpenDelay is how long a stream delays its status 200 if it has no content yet, so that
	// a watch that the store rejects, or a log that cannot be read, gets an error status.
	// After this time the request counts as accepted. Default 250 ms.
	OpenDelay time.Duration
	// MaxStreams bounds the number of open streams. Default 20 000.
	MaxStreams int
	// MaxConnections bounds the number of open connections. Requests of further ones get
	// the code unavailable, except for the probes. Default 25 000.
	MaxConnections int
	// WriteTimeout bounds one write to a stream, after which the client is
	// disconnected. Default 10 s.
	WriteTimeout time.Duration
	// RequestTimeout bounds the work for one ordinary request. Default 30 s.
	RequestTimeout time.Duration
	// CheckTimeout bounds a consistency check of the store. Default 10 min.
	CheckTimeout time.Duration
	// OperationTimeout bounds how long a request waits for an operation, which then
	// continues without it. Default 10 min.
	OperationTimeout time.Duration
	// MaxOperations bounds the number of requests that wait for operations. Default 1 000.
	MaxOperations int
	// MaxCommands bounds the number of commands that run in games of this node at a time. A caller
	// with an identity gets at most half of them. Default 64.
	MaxCommands int
	// CommandIdleTimeout is how long a command may have neither input nor output. Default 30 min.
	CommandIdleTimeout time.Duration
	// HeaderTimeout bounds how long a request's headers may take to arrive. Default 10 s.
	HeaderTimeout time.Duration
	// BodyTimeout bounds how long a request's body may take to arrive. Default 15 s.
	BodyTimeout time.Duration
	// DrainTimeout bounds how long Serve waits for open requests when it ends. Requests
	// that wait for an operation or for another node end after half of it. Default 10 s.
	DrainTimeout time.Duration
}

// withDefaults returns the configuration with its defaults, or an error that names a
// negative setting.
func (c Config) withDefaults() (Config, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	if c.Version == "" {
		c.Version = "unknown"
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.IsServedHost == nil {
		c.IsServedHost = func(string) bool { return false }
	}
	if c.Cluster == nil {
		c.Cluster = noCluster{}
	}
	if c.Games == nil {
		c.Games = noGames{}
	}
	if c.Intents == nil {
		c.Intents = noIntents{}
	}
	if c.Rollouts == nil {
		c.Rollouts = noRollouts{}
	}
	if c.Federation == nil {
		c.Federation = noFederation{}
	}
	if c.Secrets == nil {
		c.Secrets = noSecrets{}
	}
	if c.Certificates == nil {
		c.Certificates = func() []api.CertificateFile { return nil }
	}
	var faults []error
	if l := c.Limits; min(l.ReadRate, l.WriteRate, l.Failures) < 0 || min(l.Concurrency, l.Streams, l.Connections) < 0 {
		faults = append(faults, errors.New("httpserver: Limits must not be negative"))
	}
	setDefault(&faults, "Heartbeat", &c.Heartbeat, 15*time.Second)
	setDefault(&faults, "OpenDelay", &c.OpenDelay, 250*time.Millisecond)
	setDefault(&faults, "MaxStreams", &c.MaxStreams, 20_000)
	setDefault(&faults, "MaxConnections", &c.MaxConnections, 25_000)
	setDefault(&faults, "WriteTimeout", &c.WriteTimeout, 10*time.Second)
	setDefault(&faults, "RequestTimeout", &c.RequestTimeout, 30*time.Second)
	setDefault(&faults, "CheckTimeout", &c.CheckTimeout, 10*time.Minute)
	setDefault(&faults, "OperationTimeout", &c.OperationTimeout, 10*time.Minute)
	setDefault(&faults, "MaxOperations", &c.MaxOperations, 1000)
	setDefault(&faults, "MaxCommands", &c.MaxCommands, 64)
	setDefault(&faults, "CommandIdleTimeout", &c.CommandIdleTimeout, 30*time.Minute)
	setDefault(&faults, "HeaderTimeout", &c.HeaderTimeout, 10*time.Second)
	setDefault(&faults, "BodyTimeout", &c.BodyTimeout, 15*time.Second)
	setDefault(&faults, "DrainTimeout", &c.DrainTimeout, 10*time.Second)
	return c, errors.Join(faults...)
}

func setDefault[T time.Duration | int](faults *[]error, name string, setting *T, value T) {
	switch {
	case *setting < 0:
		*faults = append(*faults, fmt.Errorf("httpserver: %s must not be negative", name))
	case *setting == 0:
		*setting = value
	}
}
