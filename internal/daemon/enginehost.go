package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/services/cluster"
)

// engineHost is the part of a daemon that runs games. Its fields are nil in a daemon
// without an engine.
type engineHost struct {
	dir     *nodeDir
	engine  engine
	manager *nodeManager
}

// hostDependencies are the parts of the daemon that its engine host uses.
type hostDependencies struct {
	cfg     config.Config
	version string
	addr    net.Addr // of the API
	store   *etcdstore.Store
	members *etcdmembers.Registry
	metrics prometheus.Registerer
	logger  *slog.Logger
}

// openEngineHost opens the engine of the settings and joins the cluster as a node.
func openEngineHost(ctx context.Context, deps hostDependencies) (*engineHost, error) {
	h := &engineHost{}
	cfg := deps.cfg
	if cfg.Engine == config.EngineNone {
		return h, nil
	}
	var err error
	if h.dir, err = openNodeDir(cfg.DataDir, cfg.Region, cfg.Node); err != nil {
		if cfg.Engine == config.EngineAuto {
			deps.logger.Warn("this node runs no games", "error", err)
			return &engineHost{}, nil
		}
		return nil, err
	}
	if h.engine, err = openEngine(ctx, cfg, deps.store.ID(), h.dir, deps.logger); err != nil {
		return nil, errors.Join(err, h.close())
	}
	if h.engine == nil {
		return h, nil
	}
	if h.manager, err = newNodeManager(ctx, deps, h.engine, h.newNode(deps)); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// newNode returns this node as it describes itself to the others.
func (h *engineHost) newNode(deps hostDependencies) node.Node {
	now := time.Now().UTC()
	return node.Node{
		Region: deps.cfg.Region, Name: deps.cfg.Node, API: advertisedURL(deps.cfg, deps.addr), Version: deps.version,
		Engine: h.engine.Kind(), Instance: uuid.NewString(), Identity: h.dir.identity, StartedAt: now, Now: now,
	}
}

// advertisedURL returns the URL at which other nodes reach the API that listens at addr.
func advertisedURL(cfg config.Config, addr net.Addr) string {
	if cfg.Advertise != "" {
		return cfg.Advertise
	}
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil || !at.Addr().IsUnspecified() {
		return "http://" + addr.String()
	}
	// The API listens on all addresses: other nodes may resolve the host name.
	_, port, _ := net.SplitHostPort(addr.String())
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// engineName returns the name of the engine in the settings.
func (h *engineHost) engineName() string {
	if h.engine == nil {
		return config.EngineNone
	}
	return string(h.engine.Kind())
}

// localNode returns the manager as the cluster service calls it, nil without an engine.
func (h *engineHost) localNode() cluster.LocalNode {
	if h.manager == nil {
		return nil
	}
	return h.manager
}

// runWorkers runs the workers until stop is called, which waits for them. They do not
// end with ctx, so that the API stops first. failed receives the error of a worker, or of
// etcd.
func (h *engineHost) runWorkers(ctx context.Context, etcdFailed <-chan error) (failed <-chan error, stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	errc := make(chan error, 2)
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case err := <-etcdFailed:
			errc <- err
		case <-ctx.Done():
		}
	})
	if h.manager != nil {
		wg.Go(func() {
			if err := h.manager.run(ctx); err != nil && ctx.Err() == nil {
				errc <- err
			}
		})
	}
	return errc, func() {
		cancel()
		wg.Wait()
	}
}

// close closes the parts in reverse order.
func (h *engineHost) close() error {
	var faults []error
	if h.manager != nil {
		faults = append(faults, h.manager.close())
	}
	if h.engine != nil {
		faults = append(faults, h.engine.Close())
	}
	if h.dir != nil {
		faults = append(faults, h.dir.close())
	}
	return errors.Join(faults...)
}
