package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/adapters/httpserver/peer"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/services/cluster"
)

// Ready describes a daemon that is ready to serve.
type Ready struct {
	API   string // http://HOST:PORT
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
func Run(ctx context.Context, cfg config.Config, version string, logger *slog.Logger, ready func(Ready)) (err error) {
	startedAt := time.Now()
	if err := cfg.Validate(); err != nil {
		return err
	}
	// The listener comes first: it is fast, and the most likely to fail.
	listener, err := listen(ctx, cfg.Listen)
	if err != nil {
		return fmt.Errorf("the API cannot listen on %s: %w; choose another address with --listen", cfg.Listen, err)
	}
	defer func() { _ = listener.Close() }() // unless Serve has closed it

	etcd, err := OpenEtcd(ctx, cfg, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, etcd.Close()) }()

	store, err := openStore(ctx, cfg, etcd, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	registry := prometheus.NewRegistry()
	registry.MustRegister(newStoreMetrics(store.CacheStats))
	members := etcdmembers.New(etcd.Client, etcdmembers.Options{
		Prefix: cfg.EtcdPrefix, WatchClient: etcd.WatchClient, LeaseTTL: cfg.NodeTTL, Logger: logger.With("component", "nodes"),
	})
	host, err := openEngineHost(ctx, hostDependencies{
		cfg: cfg, version: version, addr: listener.Addr(), store: store, members: members, metrics: registry, logger: logger,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.close()) }()

	// The server cannot know by which host names other machines reach this one. On a
	// loopback address it checks the Host header: only programs on this machine reach it.
	isAnyHostAllowed := cfg.Insecure && !listener.Addr().(*net.TCPAddr).IP.IsLoopback()
	peers := peer.New(peer.Config{Self: node.Ref{Region: cfg.Region, Name: cfg.Node}, Logger: logger.With("component", "api")})
	defer peers.CloseIdleConnections()
	api, err := httpserver.New(store, httpserver.Config{
		Logger: logger.With("component", "api"), Registry: registry, Version: version, Region: cfg.Region, Node: cfg.Node,
		InsecureHosts: isAnyHostAllowed, Ready: map[string]func() error{"cache": func() error { return cacheSynced(store) }},
		Cluster: cluster.New(
			cluster.Dependencies{Records: store, Nodes: members, Local: host.localNode(), Peer: peers},
			cluster.Config{Region: cfg.Region, Node: cfg.Node, ErrorText: httpserver.PublicText, Logger: logger.With("component", "cluster")},
		),
		Peers: peers,
	})
	if err != nil {
		return err
	}
	failed, stop := host.runWorkers(ctx, etcd.failed)
	defer stop()
	return serve(ctx, api, listener, failed, store.Ready, func() {
		ready(Ready{
			API: "http://" + listener.Addr().String(), Etcd: etcd.URLs, Store: store.ID(), Engine: host.engineName(), After: time.Since(startedAt),
		})
	})
}

// cacheSynced returns nil once the cache of the store holds all records.
func cacheSynced(store *etcdstore.Store) error {
	switch stats := store.CacheStats(); {
	case stats.Synced:
		return nil
	case stats.LastError != nil:
		return fmt.Errorf("the records cannot be read from etcd: %w", stats.LastError)
	default:
		return errors.New("the records are still being read from etcd")
	}
}

// openStore opens the store, and waits for etcd at most EtcdDialTimeout.
func openStore(ctx context.Context, cfg config.Config, etcd *Etcd, logger *slog.Logger) (*etcdstore.Store, error) {
	dialCtx, cancel := context.WithTimeout(ctx, cfg.EtcdDialTimeout)
	defer cancel()
	store, err := etcdstore.Open(dialCtx, etcd.Client, etcdstore.Options{
		Prefix: cfg.EtcdPrefix, WatchClient: etcd.WatchClient, Logger: logger.With("component", "store"),
	})
	switch {
	case err == nil:
		return store, nil
	case dialCtx.Err() != nil && ctx.Err() == nil:
		return nil, noResponseError(cfg, etcd.URLs, err)
	default:
		return nil, fmt.Errorf("etcd at %s: %w", etcd.URLs, err)
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

// listen retries for a short time while the address is in use: after a daemon is killed,
// a child that it was forking holds its sockets until the child executes its program.
func listen(ctx context.Context, address string) (net.Listener, error) {
	const retryTimeout, retryInterval = 2 * time.Second, 50 * time.Millisecond
	return backoff.Retry(ctx, func() (net.Listener, error) {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
			return nil, backoff.Permanent(err)
		}
		return listener, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(retryInterval)), backoff.WithMaxElapsedTime(retryTimeout))
}
