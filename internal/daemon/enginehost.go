package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/services/cluster"
)

// games is what a daemon runs games with: the node's directory, its engine and
// its manager. A daemon that runs none has only nils.
type games struct {
	dir     *nodeDir
	engine  closingEngine
	manager *manager
}

// openGames opens the engine of the settings and joins the nodes.
func openGames(ctx context.Context, cfg config.Config, version string, addr net.Addr, store *etcdstore.Store, nodes *etcdmembers.Registry, registerer prometheus.Registerer, logger *slog.Logger) (*games, error) {
	g := &games{}
	if cfg.Engine == config.EngineNone {
		return g, nil
	}
	var err error
	if g.dir, err = openNodeDir(cfg.DataDir, cfg.Region, cfg.Node); err != nil {
		if cfg.Engine == config.EngineAuto {
			logger.Warn("this node runs no games", "error", err)
			return &games{}, nil
		}
		return nil, err
	}
	if g.engine, err = openEngine(ctx, cfg, store.ID(), g.dir, logger); err != nil {
		return nil, errors.Join(err, g.close())
	}
	if g.engine == nil {
		return g, nil
	}
	self := selfOf(cfg, version, advertised(cfg, addr), g.dir.identity, g.engine)
	if g.manager, err = newManager(ctx, cfg, store, nodes, g.engine, self, registerer, logger); err != nil {
		return nil, errors.Join(err, g.close())
	}
	return g, nil
}

// advertised is the URL at which other nodes reach the API that listens at addr.
func advertised(cfg config.Config, addr net.Addr) string {
	if cfg.Advertise != "" {
		return cfg.Advertise
	}
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil || !at.Addr().IsUnspecified() {
		return "http://" + addr.String()
	}
	// Every address: the host's name is the one that others may know.
	_, port, _ := net.SplitHostPort(addr.String())
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// kind is the engine's name.
func (g *games) kind() string {
	if g.engine == nil {
		return config.EngineNone
	}
	return string(g.engine.Kind())
}

// localNode returns the manager as the cluster service calls it, nil without an engine.
func (g *games) localNode() cluster.LocalNode {
	if g.manager == nil {
		return nil
	}
	return g.manager
}

// work runs the workers until stop is called, which waits for them. They outlive
// ctx, so that the API stops first. died gets the error of a worker that failed, or
// what comes from etcd.
func (g *games) work(ctx context.Context, etcdDied <-chan error) (died <-chan error, stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	deaths := make(chan error, 2)
	var working sync.WaitGroup
	working.Go(func() {
		select {
		case err := <-etcdDied:
			deaths <- err
		case <-ctx.Done():
		}
	})
	if g.manager != nil {
		working.Go(func() {
			if err := g.manager.run(ctx); err != nil && ctx.Err() == nil {
				deaths <- err
			}
		})
	}
	return deaths, func() {
		cancel()
		working.Wait()
	}
}

// close puts away what was opened, the last first.
func (g *games) close() error {
	var faults []error
	if g.manager != nil {
		faults = append(faults, g.manager.close())
	}
	if g.engine != nil {
		faults = append(faults, g.engine.Close())
	}
	if g.dir != nil {
		faults = append(faults, g.dir.close())
	}
	return errors.Join(faults...)
}
