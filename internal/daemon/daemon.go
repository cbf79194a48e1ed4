package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/adapters/etcdreservations"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/services/maintenance"
	"galaxy/rtmanager/internal/services/regions"
	"galaxy/rtmanager/internal/storecheck"
)

// Ready describes a daemon that is ready to serve.
type Ready struct {
	API   string // http://HOST:PORT, or https with TLS
	Etcd  string // client URLs of etcd, separated by commas
	Store string // identity of the store
	// Engine is the engine that runs games: docker, process or none.
	Engine string
	After  time.Duration // since Run was called
}

// Run runs a daemon until ctx ends, and then stops it and returns nil. It calls ready
// once, when the daemon is ready to serve.
//
// It returns an error if the daemon cannot start: an address in use, an unusable data
// directory, an etcd that does not respond (runtime.ErrUnavailable) or has another layout
// (runtime.ErrIncompatible). The error names the setting to change, if there is one. It
// also returns the error of a part that fails later.
//
// The last lines of its log are "stopping", with the reason, and "stopped".
func Run(ctx context.Context, cfg config.Config, version string, logger *slog.Logger, ready func(Ready)) (err error) {
	startedAt := time.Now()
	cfg, err = cfg.WithCerts()
	if err != nil {
		return err
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	limits, err := limitConnections(logger)
	if err != nil {
		return err
	}
	// The first deferred function runs last, when all parts have stopped.
	defer func() { logStopped(logger, err) }()
	apiTLS, err := openAPITLS(cfg, logger)
	if err != nil {
		return err
	}
	warnOfCertificate(cfg, apiTLS, logger)
	// The listener comes first: it is fast, and the most likely to fail.
	listener, err := listen(ctx, cfg.Listen)
	if err != nil {
		return fmt.Errorf("the API cannot listen on %s: %w; choose another address with --listen", cfg.Listen, err)
	}
	defer func() { _ = listener.Close() }() // unless Serve has closed it

	starting, stopStarting := serveStarting(listener, cfg, apiTLS)
	defer stopStarting()
	etcd, err := openEtcd(ctx, cfg, logger, starting.setState)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, etcd.Close()) }()

	store, err := openStore(ctx, cfg, etcd, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	secretService, err := openSecrets(ctx, cfg, etcd, store, logger)
	if err != nil {
		return err
	}
	registry := newMetricsRegistry(store, apiTLS, etcd, cfg.Region)
	audit, err := openAudit(cfg, registry, logger)
	if err != nil {
		return err
	}
	stopAudit := audit.start(ctx)
	defer func() { err = errors.Join(err, stopAudit()) }()
	games, closeArchive, err := openArchive(cfg, store, registry, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeArchive()) }()
	members := etcdmembers.New(etcd.Client, etcdmembers.Options{
		Prefix: cfg.EtcdPrefix, WatchClient: etcd.WatchClient, ClusterID: store.ClusterID(), LeaseTTL: cfg.NodeTTL, Logger: logger.With("component", "nodes"),
	})
	reservations := etcdreservations.New(etcd.Client, etcdreservations.Options{
		Prefix: cfg.EtcdPrefix, ClusterID: store.ClusterID(), Logger: logger.With("component", "placement"),
	})
	settings, stopMaintenance := startMaintenance(ctx, members, store, logger)
	defer stopMaintenance()
	peers := newPeers(cfg, apiTLS, logger)
	defer peers.CloseIdleConnections()
	host, err := openEngineHost(ctx, hostDependencies{
		maintenance: settings, peers: peers,

		cfg: cfg, version: version, addr: listener.Addr(), store: store, games: games, members: members, reservations: reservations, secrets: secretService, metrics: registry, logger: logger,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.close()) }()

	access, err := newAccessControl(etcd.Client, store.ClusterID(), cfg, registry, logger)
	if err != nil {
		return err
	}
	defer access.start(ctx)()
	stores, stopStores, err := openFederation(ctx, cfg, apiTLS, store, registry, logger)
	if err != nil {
		return err
	}
	defer stopStores()
	regionStates, stopRegions := startRegions(ctx, members, store, logger)
	defer stopRegions()
	rollouts := newRollouts(cfg, etcd, store, logger)
	parts := serverParts{
		cfg: cfg, version: version, addr: listener.Addr(), limits: limits, tls: apiTLS, etcd: etcd, store: store, games: games, members: members, reservations: reservations,
		host: host, access: access, secrets: secretService, audit: audit, peers: peers, stores: stores, regions: regionStates, registry: registry, logger: logger,
		maintenance: settings, rollouts: rollouts.service,
	}
	parts.cluster = newCluster(parts)
	api, err := newServer(parts)
	if err != nil {
		return err
	}
	backups, err := newBackups(cfg, version, etcd, store, registry, logger)
	if err != nil {
		return err
	}
	defer startBackups(ctx, backups)()
	defer rollouts.start(ctx, host, store, parts.cluster, access)()
	stopStarting()
	failed, stop := host.runWorkers(ctx, etcd.failed, store.Failed())
	defer stop()
	defer context.AfterFunc(ctx, func() { logger.Info("stopping", "reason", context.Cause(ctx).Error()) })()
	return serve(ctx, api, listener, failed, store.Ready, func() {
		ready(Ready{
			API: apiScheme(cfg) + listener.Addr().String(), Etcd: etcd.URLs, Store: store.ID(), Engine: host.engineName(), After: time.Since(startedAt),
		})
	})
}

// startRegions starts to read the states of the regions. stop waits until it has ended.
func startRegions(ctx context.Context, members *etcdmembers.Registry, store *etcdstore.Store, logger *slog.Logger) (tracker *regions.Tracker, stop func()) {
	tracker = regions.New(regions.Dependencies{Nodes: members, Records: store}, regions.Config{Logger: logger.With("component", "regions")})
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = tracker.Run(ctx) })
	return tracker, func() { cancel(); running.Wait() }
}

// startMaintenance starts to follow the settings of nodes and regions. stop waits until it has
// ended.
func startMaintenance(ctx context.Context, members *etcdmembers.Registry, store *etcdstore.Store, logger *slog.Logger) (service *maintenance.Service, stop func()) {
	service = maintenance.New(maintenance.Dependencies{Settings: members, Nodes: members, Records: store, Intents: store}, maintenance.Config{Logger: logger.With("component", "maintenance")})
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = service.Run(ctx) })
	return service, func() { cancel(); running.Wait() }
}

// logStopped logs the end of a daemon. The caller reports the error itself.
func logStopped(logger *slog.Logger, err error) {
	if err == nil {
		logger.Info("stopped")
	}
}

// openStore opens the store, and waits for etcd at most EtcdDialTimeout.
func openStore(ctx context.Context, cfg config.Config, etcd *Etcd, logger *slog.Logger) (*etcdstore.Store, error) {
	dialCtx, cancel := context.WithTimeout(ctx, cfg.EtcdDialTimeout)
	defer cancel()
	store, err := etcdstore.Open(dialCtx, etcd.Client, etcdstore.Options{
		Prefix: cfg.EtcdPrefix, WatchClient: etcd.WatchClient, Logger: logger.With("component", "store"),
		Families: storecheck.Families(cfg.EtcdPrefix),
	})
	switch {
	case err == nil:
		return store, nil
	case dialCtx.Err() != nil && ctx.Err() == nil:
		return nil, noResponseError(cfg, etcd.URLs, err)
	default:
		return nil, fmt.Errorf("etcd at %s: %w", etcd.URLs, adviseUser(err))
	}
}

// serve runs the API until ctx ends or another part fails. It calls ready once synced
// returns nil. Until then the store serves requests from etcd.
func serve(ctx context.Context, api *httpserver.Server, listener net.Listener, failed <-chan error, synced func(context.Context) error, ready func()) error {
	served, syncErr := make(chan error, 1), make(chan error, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() { served <- api.Serve(ctx, listener) }()
	wg.Go(func() { syncErr <- synced(ctx) })
	for {
		select {
		case err := <-served:
			return err
		case err := <-failed:
			stop(err)
			return errors.Join(err, <-served)
		case <-ctx.Done():
			return <-served
		case err := <-syncErr:
			if err == nil {
				ready()
			}
			syncErr = nil // received once
		}
	}
}
