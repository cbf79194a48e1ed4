package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/adapters/etcdreservations"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/adapters/httpserver/peer"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/gameports"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/cluster"
	"galaxy/rtmanager/internal/services/inspect"
	"galaxy/rtmanager/internal/services/lifecycle"
	"galaxy/rtmanager/internal/services/maintenance"
	"galaxy/rtmanager/internal/services/secrets"
	"galaxy/rtmanager/internal/workers/cleanup"
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
	games   archivingStore // the same store
	members *etcdmembers.Registry
	// maintenance has the settings of this node and of the others.
	maintenance *maintenance.Service

	// peers calls the daemons of other nodes.
	peers   *peer.Client
	secrets *secrets.Service
	// reservations are those of all nodes.
	reservations *etcdreservations.Store
	metrics      prometheus.Registerer
	logger       *slog.Logger
	// states are the state directories of the engine's games, nil if they have none.
	states cleanup.StateDirs
}

// openEngineHost opens the engine of the settings and joins the cluster as a node.
func openEngineHost(ctx context.Context, deps hostDependencies) (*engineHost, error) {
	h := &engineHost{}
	cfg := deps.cfg
	if cfg.Engine == config.EngineNone {
		return h, nil
	}
	var err error
	self, former := node.Ref{Region: cfg.Region, Name: cfg.Node}, node.Ref{}
	if cfg.RenameFrom != "" {
		if former, err = node.ParseRef(cfg.RenameFrom); err != nil {
			return nil, fmt.Errorf("--rename-from %w", err)
		}
	}
	if h.dir, err = openNodeDir(cfg.DataDir, self, former); err != nil {
		_, isOtherNode := errors.AsType[*otherNodeError](err)
		if cfg.Engine == config.EngineAuto && !isOtherNode {
			deps.logger.Warn("this node runs no games", "error", err)
			return &engineHost{}, nil
		}
		return nil, err
	}
	if h.engine, err = openEngine(ctx, deps, h.dir); err != nil {
		return nil, errors.Join(err, h.close())
	}
	if h.engine == nil {
		return h, nil
	}
	deps.states = h.dir.stateDirs(cfg, h.engine.Kind())
	if err := h.resolveName(ctx, deps); err != nil {
		return nil, errors.Join(err, h.close())
	}
	if h.manager, err = newNodeManager(ctx, deps, h.engine, h.newNode(ctx, deps)); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// newNode returns this node as it describes itself to the others.
func (h *engineHost) newNode(ctx context.Context, deps hostDependencies) node.Node {
	now := time.Now().UTC()
	labels, _ := deps.cfg.Labels() // validated with the settings
	taints, _ := deps.cfg.Taints()
	ports, _ := gameports.ParseRange(deps.cfg.GamePorts)
	capacity := deps.cfg.Capacity(machineCapacity(ctx, h.engine))
	capacity.Ports = ports.Size()
	return node.Node{
		Region: deps.cfg.Region, Name: deps.cfg.Node, API: advertisedURL(deps.cfg, deps.addr), Version: deps.version,
		Engine: h.engine.Kind(), Instance: uuid.NewString(), Identity: h.dir.identity, StartedAt: now, Now: now,
		Capacity: capacity, Labels: labels, Taints: taints,
		PublicAddress: deps.cfg.PublicAddress, GamePorts: deps.cfg.GamePorts,
	}
}

// advertisedURL returns the URL at which other nodes reach the API that listens at addr.
func advertisedURL(cfg config.Config, addr net.Addr) string {
	if cfg.Advertise != "" {
		return cfg.Advertise
	}
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil || !at.Addr().IsUnspecified() {
		return apiScheme(cfg) + addr.String()
	}
	// The API listens on all addresses: other nodes may resolve the host name.
	_, port, _ := net.SplitHostPort(addr.String())
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return apiScheme(cfg) + net.JoinHostPort(host, port)
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

// games are the games of this node.
type games struct {
	*inspect.Service
	operations *lifecycle.Service
}

// Cancel implements httpserver.Games.
func (g games) Cancel(ctx context.Context, gameID, operationID string, origin ports.Origin) error {
	return g.operations.Cancel(ctx, gameID, operationID, origin)
}

// games returns the games of this node as the API inspects them, nil without an engine.
func (h *engineHost) games() httpserver.Games {
	if h.manager == nil {
		return nil
	}
	return games{h.manager.inspect, h.manager.lifecycle}
}

// runWorkers runs the workers until stop is called, which waits for them. They do not
// end with ctx, so that the API stops first. failed receives the error of a worker, and those
// of failures.
func (h *engineHost) runWorkers(ctx context.Context, failures ...<-chan error) (failed <-chan error, stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	errc := make(chan error, 1+len(failures))
	var wg sync.WaitGroup
	for _, failure := range failures {
		wg.Go(func() {
			select {
			case err := <-failure:
				errc <- err
			case <-ctx.Done():
			}
		})
	}
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
