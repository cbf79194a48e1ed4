// Package daemon puts the parts of one rtmanager daemon together: it starts
// etcd, the store, the engine with its workers and the API in this order and stops
// them in the other.
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

// Ready says where a daemon that has begun to serve is reached.
type Ready struct {
	API   string // http://HOST:PORT
	Etcd  string // client URLs of etcd, separated by commas
	Store string // identity of the store
	// Engine is what runs games: docker, process or none.
	Engine string
	After  time.Duration
}

// Run runs a daemon until ctx ends, which is how it is stopped, and then
// returns nil once everything has been put away. It calls ready, once, when it
// serves. It returns an error, which names the setting to change where there is
// one, for what keeps it from starting: a taken address, a data directory it
// cannot use, an etcd that does not answer (runtime.ErrUnavailable) or keeps
// another layout (runtime.ErrIncompatible); and for the death of a part.
func Run(ctx context.Context, cfg config.Config, version string, logger *slog.Logger, ready func(Ready)) (err error) {
	began := time.Now()
	if err := cfg.Validate(); err != nil {
		return err
	}
	// First, because it is quick and the likeliest to fail.
	listener, err := listen(ctx, cfg.Listen)
	if err != nil {
		return fmt.Errorf("the API cannot listen on %s: %w; choose another address with --listen", cfg.Listen, err)
	}
	defer func() { _ = listener.Close() }() // again, where Serve was not reached

	etcd, err := openEtcd(ctx, cfg, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, etcd.close()) }()

	store, err := openStore(ctx, cfg, etcd, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	registry := prometheus.NewRegistry()
	registry.MustRegister(newStoreMetrics(store.CacheStats))
	nodes := etcdmembers.New(etcd.client, etcdmembers.Options{
		Prefix: cfg.EtcdPrefix, WatchClient: etcd.watchClient, LeaseTTL: cfg.NodeTTL, Logger: logger.With("component", "nodes"),
	})
	games, err := openGames(ctx, cfg, version, listener.Addr(), store, nodes, registry, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, games.close()) }()

	// The names by which other machines call this one are not known. They are not
	// needed on a loopback address, which only this machine's programs can reach.
	anyHost := cfg.Insecure && !listener.Addr().(*net.TCPAddr).IP.IsLoopback()
	peers := peer.New(peer.Config{Self: node.Ref{Region: cfg.Region, Name: cfg.Node}, Logger: logger.With("component", "api")})
	defer peers.CloseIdleConnections()
	api, err := httpserver.New(store, httpserver.Config{
		Logger: logger.With("component", "api"), Registry: registry, Version: version, Region: cfg.Region, Node: cfg.Node,
		InsecureHosts: anyHost, Ready: map[string]func() error{"cache": func() error { return cacheFilled(store) }},
		Cluster: cluster.New(
			cluster.Dependencies{Records: store, Nodes: nodes, Local: games.localNode(), Peer: peers},
			cluster.Config{Region: cfg.Region, Node: cfg.Node, ErrorText: httpserver.PublicText, Logger: logger.With("component", "cluster")},
		),
		Peers: peers,
	})
	if err != nil {
		return err
	}
	died, stop := games.work(ctx, etcd.died)
	defer stop()
	return serve(ctx, api, listener, died, store.Ready, func() {
		ready(Ready{
			API: "http://" + listener.Addr().String(), Etcd: etcd.urls, Store: store.ID(), Engine: games.kind(), After: time.Since(began),
		})
	})
}

// cacheFilled is nil once the store answers from its own copy of the records.
func cacheFilled(store *etcdstore.Store) error {
	switch stats := store.CacheStats(); {
	case stats.Filled:
		return nil
	case stats.Trouble != nil:
		return fmt.Errorf("the records cannot be read from etcd: %w", stats.Trouble)
	default:
		return errors.New("the records are still being read from etcd")
	}
}

// openStore waits for etcd as long as the settings say.
func openStore(ctx context.Context, cfg config.Config, etcd *etcd, logger *slog.Logger) (*etcdstore.Store, error) {
	bound, cancel := context.WithTimeout(ctx, cfg.EtcdDialTimeout)
	defer cancel()
	store, err := etcdstore.Open(bound, etcd.client, etcdstore.Options{
		Prefix: cfg.EtcdPrefix, WatchClient: etcd.watchClient, Logger: logger.With("component", "store"),
	})
	switch {
	case err == nil:
		return store, nil
	case bound.Err() != nil && ctx.Err() == nil:
		return nil, noAnswer(cfg, etcd.urls, err)
	default:
		return nil, fmt.Errorf("etcd at %s: %w", etcd.urls, err)
	}
}

// serve runs the API until ctx ends or another part dies. It calls ready once everything
// is in memory; until then requests are answered too, only more slowly.
func serve(ctx context.Context, api *httpserver.Server, listener net.Listener, partDied <-chan error, filled func(context.Context) error, ready func()) error {
	served, full := make(chan error, 1), make(chan error, 1)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() { served <- api.Serve(ctx, listener) }()
	waiting.Go(func() { full <- filled(ctx) })
	for {
		select {
		case err := <-served:
			return err
		case died := <-partDied:
			stop(died)
			return errors.Join(died, <-served)
		case <-ctx.Done():
			return <-served
		case err := <-full:
			if err == nil {
				ready()
			}
			full = nil // said once
		}
	}
}

// listen waits a moment for an address that is taken: when a daemon is killed, a child
// of its that is about to become the parent of a game has its sockets open until then.
func listen(ctx context.Context, address string) (net.Listener, error) {
	const patience, pause = 2 * time.Second, 50 * time.Millisecond
	return backoff.Retry(ctx, func() (net.Listener, error) {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
			return nil, backoff.Permanent(err)
		}
		return listener, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(pause)), backoff.WithMaxElapsedTime(patience))
}
