package processengine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"galaxy/rtmanager/internal/adapters/processengine/internal/gamelog"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/statedir"
)

// processContainer is one container in the directory of containers.
type processContainer struct {
	id  string
	dir string
	log *gamelog.Log
	// spec is constant once created is closed. It is zero if spec.json cannot be read; specErr
	// is then the reason.
	spec    spec
	specErr error
	// created is closed when Create has finished. createErr is then its error.
	created   chan struct{}
	createErr error

	// opToken holds a token. Start and Remove take it, so that only one of them runs at a
	// time.
	opToken chan struct{}

	mu      sync.Mutex
	run     *run    // guarded by mu; nil after all processes of the game have exited
	lastRun lastRun // guarded by mu; the result of the latest run, while run is nil
	// restartedAt is when this engine opened, if the latest run had ended before; otherwise
	// nil. isOtherBoot reports that the run started before the machine rebooted. Guarded by mu.
	restartedAt *time.Time
	isOtherBoot bool
	// isExitPending is set after a run has ended and until its result can be read. Guarded by
	// mu.
	isExitPending bool
	// stateErr is the reason why the engine cannot determine whether the game runs; nil if it
	// can. Guarded by mu.
	stateErr error
}

func newContainer(id, dir string) *processContainer {
	c := &processContainer{
		id: id, dir: dir, log: gamelog.New(filepath.Join(dir, "log")),
		created: make(chan struct{}), opToken: make(chan struct{}, 1),
	}
	c.opToken <- struct{}{}
	return c
}

func (c *processContainer) file(name string) string { return filepath.Join(c.dir, name) }

// acquire takes the token of operations. The caller must call release.
func (c *processContainer) acquire(ctx context.Context) (release func(), err error) {
	select {
	case <-c.opToken:
		return func() { c.opToken <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, unavailable(ctx)
	}
}

// activeRun returns the run in progress, or nil.
func (c *processContainer) activeRun() *run {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.run
}

// currentRun returns the run in progress, or nil if no process of the game runs. It returns
// container.ErrEngineUnavailable if the engine cannot determine this.
func (c *processContainer) currentRun() (*run, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stateErr != nil {
		return nil, fmt.Errorf("%w: cannot determine whether the game runs: %w", container.ErrEngineUnavailable, c.stateErr)
	}
	return c.run, nil
}

// checkExitRead returns an error until the result of the latest run has been read.
func (c *processContainer) checkExitRead() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isExitPending {
		return fmt.Errorf("%w: the result of the latest run cannot be read yet", container.ErrEngineUnavailable)
	}
	return nil
}

// detach ends the monitoring of the run in progress. The game continues to run.
func (c *processContainer) detach() {
	if r := c.activeRun(); r != nil {
		_ = r.pipe.Close()
	}
}

// isOwned reports whether the labels of the container name the engine's store, region and
// node.
func (e *Engine) isOwned(c *processContainer) bool {
	l := c.spec.Labels
	return l.Store == e.cfg.Store && l.Region == e.cfg.Region && l.Node == e.cfg.Node
}

// isDeleted reports whether another program has deleted the directory of a container that does
// not run. It returns container.ErrEngineUnavailable if the directory of all containers is not
// the one that the engine opened: it was renamed or is not mounted, so a missing directory
// proves nothing.
func (e *Engine) isDeleted(c *processContainer) (bool, error) {
	if c.activeRun() != nil {
		return false, nil
	}
	if _, err := os.Lstat(c.dir); !errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	info, err := os.Stat(e.containersDir())
	if err == nil && !os.SameFile(info, e.containersInfo) {
		err = errors.New("it is another directory now")
	}
	if err != nil {
		return false, fmt.Errorf("%w: the directory of containers %s has changed since the engine opened it: %w", container.ErrEngineUnavailable, e.containersDir(), err)
	}
	return true, nil
}

// describe returns the container in its current state.
func (c *processContainer) describe(cfg Config) container.Container {
	described := container.Container{ID: c.id, Name: c.spec.Name, Labels: c.spec.Labels, Image: c.spec.Labels.Image, ImageDigest: c.spec.ImageDigest, State: container.StateUnknown}
	if c.specErr != nil {
		return described
	}
	described.ReservedPorts = slices.Clone(c.spec.Ports)
	described.StatePath = filepath.Join(cfg.StateDir, statedir.Name(c.spec.Labels.GameID))
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.isExitPending, c.stateErr != nil: // the state is unknown
	case c.run != nil:
		described.State = container.StateRunning
		described.StartedAt = clone(c.run.startedAt)
		described.Endpoint = endpoint(cfg.Host, c.run.config.Port)
		described.Ports = publicPorts(cfg.PublicAddress, c.run.config.Ports)
	case c.lastRun.exists:
		described.State = container.StateExited
		described.StartedAt, described.ExitedAt, described.ExitCode = clone(c.lastRun.startedAt), clone(c.lastRun.exitedAt), clone(c.lastRun.exitCode)
		described.OOMKilled, described.StopKilled = c.lastRun.hasMainOOM(), c.lastRun.hasForcedStop()
		described.ChildOOMKilled = c.lastRun.oomKills > 0 && !described.OOMKilled
		described.EngineRestartedAt = c.engineRestartedAt()
	default:
		described.State = container.StateCreated
	}
	return described
}

// endpoint returns the URL of the game; empty if its port is unknown.
func endpoint(host string, port int) string {
	if port == 0 {
		return ""
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(port))
}

// clone returns a pointer to a copy, or nil.
func clone[T any](value *T) *T {
	if value == nil {
		return nil
	}
	copied := *value
	return &copied
}

// wrap adds the operation and the container to an error.
func (c *processContainer) wrap(operation string, err error) error {
	return fmt.Errorf("%s container %s of game %q: %w", operation, c.id, c.spec.Labels.GameID, err)
}
