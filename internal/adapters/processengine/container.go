package processengine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/container"
)

// processContainer is one container of the directory.
type processContainer struct {
	id  string
	dir string
	// spec never changes once ready is closed. Of a damaged container it is zero.
	spec   spec
	damage error
	// ready is closed once the container is made, or is known not to be: then
	// failure says why.
	ready   chan struct{}
	failure error

	// acts holds one token, which Start and Remove take.
	acts chan struct{}
	// logs is held by whoever reads or shortens the log.
	logs sync.Mutex

	mu     sync.Mutex
	run    *run  // guarded by mu; nil while nothing of the game lives
	last   past  // guarded by mu; the latest run, while run is nil
	unread bool  // guarded by mu: the latest run is over, and how it ended cannot be read yet
	astray error // guarded by mu: why it cannot be told whether anything of the game lives
}

// past is what is known of a run that is over.
type past struct {
	started           bool // false: there never was one
	port              int
	startedAt, exited *time.Time
	code              *int
}

func newContainer(id, dir string) *processContainer {
	c := &processContainer{id: id, dir: dir, ready: make(chan struct{}), acts: make(chan struct{}, 1)}
	c.acts <- struct{}{}
	return c
}

func (c *processContainer) file(name string) string { return filepath.Join(c.dir, name) }

// acquire takes the token of acts; the caller gives it back.
func (c *processContainer) acquire(ctx context.Context) (release func(), err error) {
	select {
	case <-c.acts:
		return func() { c.acts <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, unavailable(ctx)
	}
}

// running returns the run in progress, or nil.
func (c *processContainer) running() *run {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.run
}

// current returns the run in progress, or nil where nothing of the game lives. While that
// cannot be told it is runtime.ErrEngineUnavailable.
func (c *processContainer) current() (*run, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.astray != nil {
		return nil, fmt.Errorf("%w: whether it runs cannot be told: %w", container.ErrEngineUnavailable, c.astray)
	}
	return c.run, nil
}

// readable is nil unless it has yet to be read how the latest run has ended.
func (c *processContainer) readable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unread {
		return fmt.Errorf("%w: how its latest run has ended cannot be read yet", container.ErrEngineUnavailable)
	}
	return nil
}

// letGo makes the engine look away from what runs.
func (c *processContainer) letGo() {
	if r := c.running(); r != nil {
		_ = r.pipe.Close()
	}
}

// lost reports whether somebody has deleted the directory of a container that
// does not run. Where the directory of all containers is not the one that it was,
// moved away or not mounted, nobody can tell: that is runtime.ErrEngineUnavailable.
func (e *Engine) lost(c *processContainer) (bool, error) {
	if c.running() != nil {
		return false, nil
	}
	if _, err := os.Lstat(c.dir); !errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	home, err := os.Stat(e.containersDir())
	if err == nil && !os.SameFile(home, e.home) {
		err = errors.New("it is another one by now")
	}
	if err != nil {
		return false, fmt.Errorf("%w: the directory of containers %s is not as it was when the engine opened it: %w", container.ErrEngineUnavailable, e.containersDir(), err)
	}
	return true, nil
}

// describe returns the container as it is now.
func (c *processContainer) describe(cfg Config) container.Container {
	told := container.Container{ID: c.id, Name: c.spec.Name, Labels: c.spec.Labels, Image: c.spec.Labels.Image, State: container.StateUnknown}
	if c.damage != nil {
		return told // and no more than what its spec.json says, if that can be read
	}
	told.StatePath = filepath.Join(cfg.StateDir, stateName(c.spec.Labels.GameID))
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.unread, c.astray != nil: // then it is unknown
	case c.run != nil:
		told.State = container.StateRunning
		told.StartedAt = copied(c.run.startedAt)
		told.Endpoint = endpoint(cfg.Host, c.run.port)
	case c.last.started:
		told.State = container.StateExited
		told.StartedAt, told.ExitedAt, told.ExitCode = copied(c.last.startedAt), copied(c.last.exited), copied(c.last.code)
	default:
		told.State = container.StateCreated
	}
	return told
}

// endpoint returns where the game is reached; empty where its port is not known.
func endpoint(host string, port int) string {
	if port == 0 {
		return ""
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(port))
}

func copied[T any](value *T) *T {
	if value == nil {
		return nil
	}
	other := *value
	return &other
}

// wrap names the container in an error.
func (c *processContainer) wrap(doing string, err error) error {
	return fmt.Errorf("%s container %s of game %q: %w", doing, c.id, c.spec.Labels.GameID, err)
}
