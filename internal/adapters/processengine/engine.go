package processengine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/filelock"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.Engine = (*Engine)(nil)

// Engine runs games as local processes. Games run on when it is closed, and are
// found again by the next one.
type Engine struct {
	cfg    Config
	tools  tools
	log    *slog.Logger
	lock   *filelock.Lock
	images *os.Root
	states *os.Root
	home   os.FileInfo // the directory of containers
	hub    *hub

	life    context.Context // ends when the engine is closed
	die     context.CancelFunc
	watches sync.WaitGroup // one for each game that runs, one for the logs

	mu         sync.Mutex
	closed     bool                         // guarded by mu, as all below
	calls      sync.WaitGroup               // methods in progress; added to while not closed
	containers map[string]*processContainer // ours, by id
	names      map[string]*processContainer // all that lie in Dir, those of others included
	ports      map[int]*processContainer    // which port is whose while it runs or starts
}

// lockTimeout is how long Open waits for the lock. When a daemon is killed, a child of
// the daemon that is about to become the parent of a game may hold the lock for a moment.
const lockTimeout = 2 * time.Second

// errClosed is why a method of a closed engine does nothing.
var errClosed = errors.New("the process engine is closed")

// Open opens the engine, and finds what earlier ones left in its directory.
func Open(cfg Config) (*Engine, error) {
	if err := supported(); err != nil {
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
		cfg: cfg, tools: tools, log: cfg.Logger, hub: newHub(cfg.EventBuffer),
		containers: map[string]*processContainer{}, names: map[string]*processContainer{}, ports: map[int]*processContainer{},
	}
	e.life, e.die = context.WithCancel(context.Background())
	if err := e.open(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

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
	if e.home, err = os.Stat(e.containersDir()); err != nil {
		return err
	}
	if err := e.load(); err != nil {
		return err
	}
	e.watches.Go(e.keepLogsSmall)
	return nil
}

func (e *Engine) containersDir() string { return filepath.Join(e.cfg.Dir, "containers") }

// Close ends methods in progress and streams of events, and lets the games run
// on. It may be called twice.
func (e *Engine) Close() error {
	e.mu.Lock()
	again := e.closed
	e.closed = true
	e.mu.Unlock()
	e.die()
	if again {
		return nil
	}
	e.calls.Wait()
	for _, c := range e.all() {
		c.letGo()
	}
	e.watches.Wait()
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

// begin opens a method: the context that it returns ends with the caller's and
// with the engine. The method calls done when it returns.
func (e *Engine) begin(caller context.Context) (ctx context.Context, done func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, nil, fmt.Errorf("%w: %w", container.ErrEngineUnavailable, errClosed)
	}
	if caller.Err() != nil {
		return nil, nil, unavailable(caller)
	}
	ctx, cancel := context.WithCancelCause(caller)
	stop := context.AfterFunc(e.life, func() { cancel(errClosed) })
	e.calls.Add(1)
	return ctx, func() { stop(); cancel(nil); e.calls.Done() }, nil
}

// unavailable is the error of a method whose context has ended.
func unavailable(ctx context.Context) error {
	return fmt.Errorf("%w: %w", container.ErrEngineUnavailable, context.Cause(ctx))
}

// Kind implements ports.Engine.
func (e *Engine) Kind() container.EngineKind { return container.EngineKindProcess }

// find returns our container of this id, and otherwise runtime.ErrNoContainer.
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

func (e *Engine) all() []*processContainer {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]*processContainer, 0, len(e.containers))
	for _, c := range e.containers {
		all = append(all, c)
	}
	return all
}

// forget takes the container, whose directory is gone, out of the engine.
func (e *Engine) forget(c *processContainer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.containers, c.id)
	if e.names[c.spec.Name] == c {
		delete(e.names, c.spec.Name)
	}
}

func (e *Engine) tell(kind container.EventType, c *processContainer) {
	e.hub.publish(container.Event{Type: kind, GameID: c.spec.Labels.GameID, ContainerID: c.id})
}

// wait waits for done, at most so long; the context's end is an error.
func wait(ctx context.Context, done <-chan struct{}, patience time.Duration) (bool, error) {
	timer := time.NewTimer(patience)
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
