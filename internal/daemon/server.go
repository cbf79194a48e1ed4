package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/adapters/etcdreservations"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/adapters/httpserver/peer"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/services/cluster"
	"galaxy/rtmanager/internal/services/explain"
	"galaxy/rtmanager/internal/services/maintenance"
	"galaxy/rtmanager/internal/services/regions"
	"galaxy/rtmanager/internal/services/rollouts"
	"galaxy/rtmanager/internal/services/secrets"
	"galaxy/rtmanager/internal/tlsfiles"
)

// serverParts are the parts of a daemon that its API uses.
type serverParts struct {
	cfg     config.Config
	version string
	addr    net.Addr // that the API listens on
	limits  connectionLimits
	tls     tlsfiles.Client
	etcd    *Etcd
	store   *etcdstore.Store
	games   archivingStore // the same store
	members *etcdmembers.Registry
	// reservations are those of all nodes.
	reservations *etcdreservations.Store
	host         *engineHost
	access       *accessControl
	secrets      *secrets.Service
	audit        auditing
	peers        *peer.Client
	stores       httpserver.Federation // nil without other stores
	regions      *regions.Tracker
	registry     *prometheus.Registry
	logger       *slog.Logger
	maintenance  *maintenance.Service
	rollouts     *rollouts.Service
	cluster      *cluster.Service
}

// newServer returns the server of the API.
func newServer(p serverParts) (*httpserver.Server, error) {
	logger := p.logger.With("component", "api")
	serving, isServedHost := serverTLS(p.tls)
	readiness := map[string]func() error{"cache": func() error { return cacheSynced(p.store) }}
	var storeFailure func() error
	if p.etcd.endpoints != nil {
		storeFailure = p.etcd.endpoints.Health
		readiness["etcd"] = storeFailure
	}
	if p.etcd.member != nil {
		storeFailure = p.etcd.member.Health
		readiness["etcd"] = storeFailure
	}
	return httpserver.New(p.games, httpserver.Config{
		Logger: logger, Registry: p.registry, Version: p.version, Region: p.cfg.Region, Node: p.cfg.Node,

		TLS: serving, IsClientAuthority: clientAuthority(p.tls), IsServedHost: isServedHost, InsecureHosts: isAnyHostAllowed(p.cfg, p.addr),
		MaxConnections: p.limits.connections, MaxStreams: p.limits.streams, Limits: callerLimits(p.cfg, p.limits),

		Ready: readiness, ReadOnly: p.etcd.diskFull, StoreFailure: storeFailure,
		Regions: p.regions.Regions, StoreProvenAt: func() time.Time { return p.store.CacheStats().ProvenAt },

		Access: p.access.authenticator(), AccessAdmin: p.access.service, OIDC: p.access.login(), Secrets: p.secrets, Audit: p.audit.port(),
		Cluster: p.cluster, Intents: p.store, Games: p.host.games(), Peers: p.peers, Federation: p.stores,
		Maintenance: p.maintenance, Rollouts: p.rollouts, NoCommands: !p.cfg.AllowExec,

		Members: newInspector(p.cfg, p.etcd), Certificates: newTLSMetrics(p.tls, p.etcd).certificates,
	})
}

// newCluster returns the service that selects the node of a request.
func newCluster(p serverParts) *cluster.Service {
	stored := explain.New(explain.Dependencies{Records: p.store, Intents: p.store})
	return cluster.New(
		cluster.Dependencies{Records: p.store, Intents: p.store, Writer: p.store, Reservations: p.reservations, Nodes: p.members, Local: p.host.localNode(), Peer: p.peers, Stored: stored},
		cluster.Config{Region: p.cfg.Region, Node: p.cfg.Node, ErrorText: httpserver.PublicText, Logger: p.logger.With("component", "cluster")},
	)
}

// newPeers returns the client of the other daemons. The caller closes its idle connections.
func newPeers(cfg config.Config, files tlsfiles.Client, logger *slog.Logger) *peer.Client {
	return peer.New(peer.Config{
		Self: node.Ref{Region: cfg.Region, Name: cfg.Node}, TLS: files,
		RequireNodeIdentity: cfg.HasTLS() && cfg.AuthEnabled(), Logger: logger.With("component", "api"),
	})
}

// isAnyHostAllowed reports whether the API accepts every Host header. It cannot know by which
// names other machines reach it. On a loopback address it checks the header: only programs on
// this machine reach it.
func isAnyHostAllowed(cfg config.Config, addr net.Addr) bool {
	return cfg.Insecure && !addr.(*net.TCPAddr).IP.IsLoopback()
}

// maxProofAge is how old the last proof may be that the cache is current. The watch gets one
// every two seconds.
const maxProofAge = 10 * time.Second

// cacheSynced returns nil while the cache of the store holds all records and is fed.
func cacheSynced(store *etcdstore.Store) error {
	stats := store.CacheStats()
	age := time.Since(stats.ProvenAt)
	switch {
	case stats.Synced && age > maxProofAge:
		return fmt.Errorf("the watch of etcd has had no response since %s, for %s", stats.ProvenAt.UTC().Format(time.RFC3339), age.Round(time.Second))
	case stats.Synced:
		return nil
	case stats.LastError != nil:
		return fmt.Errorf("the records cannot be read from etcd: %w", stats.LastError)
	default:
		return errors.New("the records are still being read from etcd")
	}
}
