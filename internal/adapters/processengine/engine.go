package processengine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"galaxy/rtmanager/internal/adapters/processengine/internal/cgroups"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/filelock"
	"galaxy/rtmanager/internal/gameports"
	"galaxy/rtmanager/internal/lifetime"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.Engine = (*Engine)(nil)

// Engine implements ports.Engine with local processes. Games continue to run when it is
// closed, and the next engine on the directory finds them.
type Engine struct {
	cfg            Config
	tools          tools
	groups         cgroups.Host
	log            *slog.Logger
	lock           *filelock.Lock
	images         *os.Root
	states         *os.Root
	containersInfo os.FileInfo // identifies the directory of containers
	openedAt       time.Time
	events         *eventBroadcaster
	digests        digestCache

	lifetime *lifetime.Lifetime
	monitors sync.WaitGroup // one goroutine per running game, and one that shortens logs
	close    func() error

	mu         sync.Mutex
	containers map[string]*processContainer // guarded by mu; owned containers, by id
	names      map[string]*processContainer // guarded by mu; all containers in Dir, by name
	// ports are those of running and starting games. Guarded by mu.
	ports map[gameports.Key]*processContainer
	// assignMu is locked while the ports of players of a new container are assigned.
	assignMu sync.Mutex
	// assigned are the ports of players of containers that are being created. Guarded by
	// assignMu.
	assigned map[*processContainer]spec
}

// lockTimeout is how long Open waits for the lock of the directory. A daemon that is killed
// during a start can leave the lock for a moment to the shim of a game.
const lockTimeout = 2 * time.Second

// errClosed is the error of a call on a closed engine.
var errClosed = errors.New("the process engine is closed")

// Open opens the engine and finds the containers of earlier engines in its directory.
func Open(cfg Config) (*Engine, error) {
	if err := checkSupported(); err != nil {
		return nil, err
	}
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	tools, err := findTools()
	if err != nil {
		return nil, err
	}
	e := &Engine{
		cfg: cfg, tools: tools, log: cfg.Logger, openedAt: time.Now().UTC(), events: newEventBroadcaster(cfg.EventBuffer), lifetime: lifetime.New(context.Background()),
		containers: map[string]*processContainer{}, names: map[string]*processContainer{}, ports: map[gameports.Key]*processContainer{}, assigned: map[*processContainer]spec{},
	}
	e.close = sync.OnceValue(e.shutdown)
	if err := e.open(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// open takes the lock, opens the directories and recovers the containers.
func (e *Engine) open() (err error) {
	e.lock, err = filelock.Acquire(filepath.Join(e.cfg.Dir, "engine.lock"), lockTimeout)
	if errors.Is(err, filelock.ErrLocked) {
		return fmt.Errorf("another engine uses the directory: %w", err)
	}
	if err != nil {
		return err
	}
	if e.images, err = os.OpenRoot(e.cfg.ImagesDir); err != nil {
		return err
	}
	if e.states, err = os.OpenRoot(e.cfg.StateDir); err != nil {
		return err
	}
	if err := os.MkdirAll(e.containersDir(), 0o700); err != nil {
		return err
	}
	if e.containersInfo, err = os.Stat(e.containersDir()); err != nil {
		return err
	}
	if !e.cfg.NoControlGroups {
		e.groups = cgroups.Detect(e.tools.sh)
	}
	if err := e.recoverContainers(); err != nil {
		return err
	}
	e.monitors.Go(e.shortenLogsPeriodically)
	return nil
}

func (e *Engine) containersDir() string { return filepath.Join(e.cfg.Dir, "containers") }

// Close ends calls in progress and event streams. Games continue to run. Every further call
// returns the same result.
func (e *Engine) Close() error { return e.close() }

// shutdown releases all resources, also those of an open that failed.
func (e *Engine) shutdown() error {
	e.lifetime.Close(errClosed)
	for _, c := range e.allContainers() {
		c.detach()
	}
	e.monitors.Wait()
	var errs []error
	if e.images != nil {
		errs = append(errs, e.images.Close())
	}
	if e.states != nil {
		errs = append(errs, e.states.Close())
	}
	if e.lock != nil {
		errs = append(errs, e.lock.Release())
	}
	return errors.Join(errs...)
}

// begin starts a call. The returned context ends with the caller's context and with the
// engine. The call must call end when it returns.
func (e *Engine) begin(caller context.Context) (ctx context.Context, end func(), err error) {
	if caller.Err() != nil {
		return nil, nil, unavailable(caller)
	}
	ctx, end, err = e.lifetime.Begin(caller)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", container.ErrEngineUnavailable, err)
	}
	return ctx, end, nil
}

// unavailable returns the error of a call whose context has ended.
func unavailable(ctx context.Context) error {
	return fmt.Errorf("%w: %w", container.ErrEngineUnavailable, context.Cause(ctx))
}

// Kind implements ports.Engine.
func (e *Engine) Kind() container.EngineKind { return container.EngineKindProcess }

// find returns the owned container with the id, or container.ErrNoContainer.
func (e *Engine) find(id string) (*processContainer, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, ok := e.containers[id]
	if !ok {
		return nil, noContainer(id)
	}
	return c, nil
}

func noContainer(id string) error { return fmt.Errorf("%w: %q", container.ErrNoContainer, id) }

// allContainers returns the owned containers.
func (e *Engine) allContainers() []*processContainer {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Values(e.containers))
}

// drop removes a container from the index after its directory was deleted.
func (e *Engine) drop(c *processContainer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.containers, c.id)
	if e.names[c.spec.Name] == c {
		delete(e.names, c.spec.Name)
	}
}

// emit sends an event about the container to all streams.
func (e *Engine) emit(kind container.EventType, c *processContainer) {
	e.events.publish(container.Event{Type: kind, GameID: c.spec.Labels.GameID, ContainerID: c.id})
}

// waitDone waits until done is closed, and returns false if the timeout ends first. It returns
// an error if ctx ends first.
func waitDone(ctx context.Context, done <-chan struct{}, timeout time.Duration) (bool, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-done:
		return true, nil
	case <-timer.C:
		return false, nil
	case <-ctx.Done():
		return false, unavailable(ctx)
	}
}
