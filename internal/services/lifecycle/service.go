// Package lifecycle carries out what is asked of the games of one node: start,
// stop, restart, patch and clean up, and what a finding of drift proposes. It is
// written over ports only: which engine runs the games it cannot tell.
//
// Each operation writes what it means to do before it does it, acts on the engine,
// and writes the record with the container's id as guard. Every step may be
// repeated, so an operation that its daemon did not live to finish is taken up
// by the next one where it stands, and finished or rolled back.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.Executor = (*Service)(nil)

// Records is what a Service needs of the record store.
type Records interface {
	ports.RuntimeReader
	ports.RuntimeWriter
	ports.RuntimeLedger
}

// Prober asks a game how it is.
type Prober interface {
	// Probe returns nil for a game that answers the URL with 2xx in time, and
	// otherwise says what it did instead.
	Probe(ctx context.Context, url string) error
}

// Dependencies are what a Service works with. All are required.
type Dependencies struct {
	Records Records
	Intents ports.IntentStore
	Engine  ports.Engine
	Session ports.NodeSession
	Nodes   ports.NodeRegistry
	Prober  Prober
}

// Config tunes a Service. Store, Region and Node are required; a zero duration
// means the default named beside it.
type Config struct {
	// Store is the identity of the store; containers carry it, so that two stores
	// can share an engine.
	Store string
	// Region and Node say who this daemon is.
	Region, Node string
	// RetryTimeout is how long an operation goes on against an engine or a store that
	// does not answer, before it is given up. Default 30 s.
	RetryTimeout time.Duration
	// PullTimeout bounds getting an image. Default 10 min.
	PullTimeout time.Duration
	// MinUptime is how long a game without health check has to run before it counts
	// as started. Default 300 ms.
	MinUptime time.Duration
	// Clock gives the instants that are written into records. Default time.Now.
	Clock func() time.Time
	// Logger takes a line per operation; nil is silence.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	orDefault := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	orDefault(&c.RetryTimeout, 30*time.Second)
	orDefault(&c.PullTimeout, 10*time.Minute)
	orDefault(&c.MinUptime, 300*time.Millisecond)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Service carries out operations. It is safe for concurrent use; on one game it
// does one thing at a time.
type Service struct {
	Dependencies
	cfg Config
	log *slog.Logger

	closing context.Context
	close   context.CancelCauseFunc
	mu      sync.Mutex            // guards runs, and orders launch and Close
	runs    map[string]*execution // by game
	working sync.WaitGroup
}

// errClosed ends whatever is in progress when the service is closed.
var errClosed = errors.New("the daemon is stopping")

// New returns a service. It fails for a part or a setting that is missing.
func New(ctx context.Context, parts Dependencies, cfg Config) (*Service, error) {
	switch {
	case parts.Records == nil, parts.Intents == nil, parts.Engine == nil, parts.Session == nil, parts.Nodes == nil, parts.Prober == nil:
		return nil, errors.New("lifecycle: all parts are required")
	case cfg.Store == "" || cfg.Region == "" || cfg.Node == "":
		return nil, errors.New("lifecycle: store, region and node are required")
	}
	cfg = cfg.withDefaults()
	s := &Service{Dependencies: parts, cfg: cfg, log: cfg.Logger, runs: map[string]*execution{}}
	s.closing, s.close = context.WithCancelCause(context.WithoutCancel(ctx))
	return s, nil
}

// Close ends the operations in progress where they stand and waits for them; the
// node's next daemon takes them up. It may be called more than once and always
// returns nil.
func (s *Service) Close() error {
	s.mu.Lock()
	s.close(errClosed)
	s.mu.Unlock()
	s.working.Wait()
	return nil
}

// HasActive reports whether this service has an operation on the game in progress.
func (s *Service) HasActive(gameID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs[gameID] != nil
}

// lockGame makes r the run of its game. It returns the run that is there already
// instead, if there is one.
func (s *Service) lockGame(r *execution) (*execution, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return nil, fmt.Errorf("%w: %w", runtime.ErrUnavailable, errClosed)
	}
	if other := s.runs[r.gameID]; other != nil {
		return other, nil
	}
	s.runs[r.gameID] = r
	s.working.Add(1)
	return nil, nil
}

// unlockGame ends what reserve began.
func (s *Service) unlockGame(r *execution) {
	s.mu.Lock()
	delete(s.runs, r.gameID)
	s.mu.Unlock()
	close(r.done)
	s.working.Done()
}

func (s *Service) now() time.Time { return s.cfg.Clock().UTC() }

// isLocal reports whether the place is this node.
func (s *Service) isLocal(region, node string) bool {
	return region == s.cfg.Region && node == s.cfg.Node
}

// currentFence returns the fence of this daemon's presence; without it nothing may be
// written.
func (s *Service) currentFence() (node.Fence, error) {
	fence, present := s.Session.Fence()
	if !present {
		return fence, fmt.Errorf("%w: this daemon is not, or not any more, present among the nodes as %s/%s; it is joining, and its log says more",
			node.ErrUnreachable, s.cfg.Region, s.cfg.Node)
	}
	return fence, nil
}

// findRecord returns the game's record, or nil and revision 0 where there is none.
func (s *Service) findRecord(ctx context.Context, gameID string) (*runtime.RuntimeRecord, int64, error) {
	found, err := s.Records.GetVersioned(ctx, gameID)
	switch {
	case errors.Is(err, runtime.ErrNotFound):
		return nil, 0, nil
	case err != nil:
		return nil, 0, fmt.Errorf("read the record of %q: %w", gameID, err)
	}
	return &found.Record, found.Revision, nil
}
