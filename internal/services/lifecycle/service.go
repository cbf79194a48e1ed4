package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/lifetime"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.Executor = (*Service)(nil)

// Records is the part of the record store that a Service uses.
type Records interface {
	ports.RuntimeReader
	ports.RuntimeWriter
	ports.ConditionWriter
}

// Dependencies are the parts that a Service uses. All but Secrets, Reservations, Placer and Queue are required.
type Dependencies struct {
	Records Records
	Intents ports.IntentStore
	Engine  ports.Engine
	Session ports.NodeSession // of this daemon
	Nodes   ports.NodeRegistry
	Prober  ports.HealthProber
	// Secrets resolves the secrets of games; nil rejects games with secrets.
	Secrets ports.SecretResolver
	// Reservations ends reservations of this node; nil without any.
	Reservations Releaser
	// Placer selects nodes for starts that fail here and reserves those of moves; nil does neither.
	Placer Placer
	// Queue receives the games whose operation begins or ends; nil is for a service without a
	// reconcile worker, which writes no conditions between its operations.
	Queue Queue
}

// Releaser ends reservations of a node in the background.
type Releaser interface {
	// Release ends the reservation of the operation on the game, if there is one.
	Release(gameID, operationID string)
}

// Config configures a Service. Store, Region and Node are required; a zero duration
// means the default that its comment names.
type Config struct {
	// Store is the identity of the store. Containers carry it as a label, so that several
	// stores can share an engine.
	Store string
	// Region and Node name the node of this daemon.
	Region, Node string
	// RetryTimeout is how long an operation retries while the engine or the store does not
	// respond. Default 30 s.
	RetryTimeout time.Duration
	// NodeLostGrace is how long the target of a move must be absent before this node starts the game, if the target
	// may have started it. Default 30 s.
	NodeLostGrace time.Duration
	// PullTimeout is the maximum duration of an image pull. Default 10 min.
	PullTimeout time.Duration
	// MinUptime is how long a game without a health check must run before it counts as
	// started. Default 300 ms.
	MinUptime time.Duration
	// HasContainerAddresses is set if the endpoints of games have the addresses of their containers.
	HasContainerAddresses bool
	// Clock returns the times that are written into records. Default time.Now.
	Clock func() time.Time
	// Logger receives a line at the start and the end of each operation; nil discards them.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.RetryTimeout = cmp.Or(c.RetryTimeout, 30*time.Second)
	c.NodeLostGrace = cmp.Or(c.NodeLostGrace, 30*time.Second)
	c.PullTimeout = cmp.Or(c.PullTimeout, 10*time.Minute)
	c.MinUptime = cmp.Or(c.MinUptime, 300*time.Millisecond)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Service runs operations, one at a time per game. It is safe for concurrent use.
type Service struct {
	deps     Dependencies
	cfg      Config
	log      *slog.Logger
	self     node.Ref
	lifetime *lifetime.Lifetime

	mu     sync.Mutex
	active map[string]*activeOperation // by game; guarded by mu

	failures    failureLog
	lostTargets lostTargets
}

// errClosed ends the operations in progress when the service closes.
var errClosed = errors.New("the daemon is stopping")

// New returns a service. It takes values from ctx, but does not end with it. It fails if
// a dependency or a required setting is missing.
func New(ctx context.Context, deps Dependencies, cfg Config) (*Service, error) {
	switch {
	case deps.Records == nil, deps.Intents == nil, deps.Engine == nil, deps.Session == nil, deps.Nodes == nil, deps.Prober == nil:
		return nil, errors.New("lifecycle: all dependencies are required")
	case cfg.Store == "" || cfg.Region == "" || cfg.Node == "":
		return nil, errors.New("lifecycle: store, region and node are required")
	}
	cfg = cfg.withDefaults()
	return &Service{
		deps: deps, cfg: cfg, log: cfg.Logger, self: node.Ref{Region: cfg.Region, Name: cfg.Node},
		lifetime: lifetime.New(ctx), active: map[string]*activeOperation{},
	}, nil
}

// Close interrupts the operations in progress and waits until they have returned. The
// node's next daemon resumes them. Close may be called more than once and always returns
// nil.
func (s *Service) Close() error {
	s.lifetime.Close(errClosed)
	return nil
}

// HasActive reports whether this service is running an operation on the game.
func (s *Service) HasActive(gameID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active[gameID] != nil
}

// lockGame locks the game for one operation. It returns the new lock, or nil and the
// operation that holds the lock. It fails if the service is closed.
func (s *Service) lockGame(gameID string) (lock, holder *activeOperation, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if holder := s.active[gameID]; holder != nil {
		return nil, holder, nil
	}
	_, end, err := s.lifetime.Begin(s.lifetime.Context())
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", runtime.ErrUnavailable, err)
	}
	lock = newActiveOperation(gameID, end)
	s.active[gameID] = lock
	return lock, nil, nil
}

// unlockGame releases a lock of lockGame. If an operation had the lock, the reconcile worker
// writes the condition that it leaves.
func (s *Service) unlockGame(lock *activeOperation) {
	s.mu.Lock()
	delete(s.active, lock.gameID)
	s.mu.Unlock()
	if id, _, _ := lock.operation(); id != "" {
		s.enqueue(lock.gameID)
	}
	close(lock.done)
	lock.end()
}

// release ends the reservation of an operation that has ended or was rejected.
func (s *Service) release(isReserved bool, gameID, operationID string) {
	if isReserved && s.deps.Reservations != nil {
		s.deps.Reservations.Release(gameID, operationID)
	}
}

func (s *Service) now() time.Time { return s.cfg.Clock().UTC() }

// currentFence returns the fence of this daemon's session, and node.ErrUnreachable if it
// has no session: then it must not write.
func (s *Service) currentFence() (node.Fence, error) {
	fence, joined := s.deps.Session.Fence()
	if !joined {
		return fence, fmt.Errorf("%w: this daemon has no session as node %s; it is joining, see its log", node.ErrUnreachable, s.self)
	}
	return fence, nil
}

// recordState is a game's record at a revision. record is nil, and revision 0, if the
// game has no record.
type recordState struct {
	record   *runtime.RuntimeRecord
	revision int64
}

// readGame returns the game's intent and record as of one revision.
func (s *Service) readGame(ctx context.Context, gameID string) (ports.VersionedIntent, recordState, error) {
	intent, found, err := s.deps.Intents.GetIntentAndRecord(ctx, gameID)
	if err != nil {
		return intent, recordState{}, fmt.Errorf("read intent and record of %q: %w", gameID, err)
	}
	if found.Revision == 0 {
		return intent, recordState{}, nil
	}
	return intent, recordState{&found.Record, found.Revision}, nil
}

// readRequested returns the state of the game that the caller of the request has seen, once, and otherwise reads it.
// An intent that has changed since is a conflict of the write that accepts the operation.
func (s *Service) readRequested(ctx context.Context, request *ports.OperationRequest) (ports.VersionedIntent, recordState, error) {
	seen := request.Seen
	if request.Seen = nil; seen == nil {
		return s.readGame(ctx, request.GameID)
	}
	if seen.Record.Revision == 0 {
		return seen.Intent, recordState{}, nil
	}
	return seen.Intent, recordState{&seen.Record.Record, seen.Record.Revision}, nil
}

// readRecord returns the game's current record.
func (s *Service) readRecord(ctx context.Context, gameID string) (recordState, error) {
	found, err := s.deps.Records.GetVersioned(ctx, gameID)
	switch {
	case errors.Is(err, runtime.ErrNotFound):
		return recordState{}, nil
	case err != nil:
		return recordState{}, fmt.Errorf("read the record of %q: %w", gameID, err)
	}
	return recordState{&found.Record, found.Revision}, nil
}

// knownRecord returns the game's record as the store knows it without a request, nil if it does not
// or if there is none. It may be outdated.
func (s *Service) knownRecord(gameID string) *recordState {
	_, found, isKnown := s.deps.Intents.GetIntentAndRecordLocal(gameID)
	if !isKnown || found.Revision == 0 {
		return nil
	}
	return &recordState{&found.Record, found.Revision}
}

// versioned returns the record as the store returns it; zero if the game has none.
func (r recordState) versioned() runtime.VersionedRecord {
	if r.record == nil {
		return runtime.VersionedRecord{}
	}
	return runtime.VersionedRecord{Record: *r.record, Revision: r.revision}
}

// putIntent replaces the stored intent by next and returns it with its version. It
// returns runtime.ErrConflict if the intent has changed since it was read.
func (s *Service) putIntent(ctx context.Context, stored ports.VersionedIntent, next operation.Intent, fence node.Fence) (ports.VersionedIntent, error) {
	version, err := s.deps.Intents.PutIntent(ctx, next, stored.IntentVersion, fence)
	if err != nil {
		return stored, fmt.Errorf("write the intent of %q: %w", next.GameID, err)
	}
	return ports.VersionedIntent{Intent: next, IntentVersion: version}, nil
}
