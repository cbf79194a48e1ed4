package placement

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

// RecordLister lists records in pages.
type RecordLister interface {
	ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error)
}

// ActiveOperations lists the games with operations in progress; ports.IntentStore implements it.
type ActiveOperations interface {
	GamesWithActiveOperation(ctx context.Context, region, node string) ([]string, error)
}

// Dependencies are the parts that a Scheduler uses.
type Dependencies struct {
	Records RecordLister
	// Operations, if not nil, has the operations whose reservations do not expire.
	Operations ActiveOperations
	// Reservations is shared by all daemons; nil reserves in the memory of this one.
	Reservations ports.ReservationStore
}

// expiry is how long a daemon must have observed a reservation without an operation in progress
// before the reservation has expired: the operation was never accepted, or nothing could remove
// the reservation.
const expiry = time.Minute

// Scheduler selects nodes by the running games of a store, and reserves them. Simultaneous
// requests for nodes of a region share one read and one write. It is safe for concurrent use.
type Scheduler struct {
	deps  Dependencies
	clock func() time.Time

	mu      sync.Mutex // guards the fields below
	regions map[string]*regionQueue
	// seen has when this daemon first observed each reservation. No clocks of different daemons
	// are compared.
	seen map[reservationID]time.Time
}

// reservationID identifies one reservation.
type reservationID struct {
	node              node.Ref
	gameID, operation string
}

// regionQueue holds the requests for nodes of one region that wait for the next batch.
type regionQueue struct {
	waiting   []*pendingRequest
	isRunning bool // a goroutine handles the batches
}

// pendingRequest is a request with the channel of its result.
type pendingRequest struct {
	Request
	result chan result // of capacity 1
}

type result struct {
	placement node.Placement
	isHeld    bool
	err       error
}

// NewScheduler returns a scheduler.
func NewScheduler(deps Dependencies) *Scheduler {
	if deps.Reservations == nil {
		deps.Reservations = &localReservations{}
	}
	return &Scheduler{deps: deps, clock: time.Now, regions: map[string]*regionQueue{}, seen: map[reservationID]time.Time{}}
}

// Selection is the node that was selected for a game.
type Selection struct {
	node.Placement
	// IsReserved reports that the node is reserved for the game, until Release.
	IsReserved bool
}

// Select checks the nodes of request.Region, which must not be empty, and reserves the best one
// for the game. If none fits, the Placement has no Selected node, and it is no error.
//
// It fills in the request's Load. It reserves nothing if only one node is possible and has no
// limit that concerns the game. A game that has a reservation in the region keeps its node.
// Errors are those of the stores; nothing is reserved then, or the reservation expires.
func (s *Scheduler) Select(ctx context.Context, request Request) (Selection, error) {
	request.Nodes = Candidates(request.Nodes, request.Region)
	if isUnlimited(request) {
		return Selection{Placement: Select(request)}, nil
	}
	pending := &pendingRequest{request, make(chan result, 1)}
	s.enqueue(ctx, pending)
	select {
	case r := <-pending.result:
		return Selection{Placement: r.placement, IsReserved: r.isHeld}, r.err
	case <-ctx.Done():
		go s.releaseAbandoned(context.WithoutCancel(ctx), pending)
		return Selection{}, ctx.Err()
	}
}

// Explain checks the nodes as Select does, and reserves nothing.
func (s *Scheduler) Explain(ctx context.Context, request Request) (node.Placement, error) {
	request.Nodes = Candidates(request.Nodes, request.Region)
	state, err := s.readRegion(ctx, request.Region, request.Nodes)
	if err != nil {
		return node.Placement{}, err
	}
	return Select(state.complete(request)), nil
}

// isUnlimited reports whether at most one node is possible, and has no limit that concerns the
// game.
func isUnlimited(request Request) bool {
	if len(request.Nodes) == 0 {
		return true
	}
	isLimited := request.Nodes[0].Capacity.IsLimitFor(request.Spec.Requests())
	return len(request.Nodes) == 1 && !isLimited
}

// releaseAbandoned releases the node of a request whose caller has left.
func (s *Scheduler) releaseAbandoned(ctx context.Context, pending *pendingRequest) {
	if r := <-pending.result; r.isHeld {
		ctx, cancel := context.WithTimeout(ctx, batchTimeout)
		defer cancel()
		_ = s.Release(ctx, r.placement.Selected, pending.GameID, pending.OperationID) // otherwise it expires
	}
}

// enqueue adds the request to the next batch of its region.
func (s *Scheduler) enqueue(ctx context.Context, pending *pendingRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.regions[pending.Region]
	if queue == nil {
		queue = &regionQueue{}
		s.regions[pending.Region] = queue
	}
	queue.waiting = append(queue.waiting, pending)
	if !queue.isRunning {
		queue.isRunning = true
		go s.runBatches(context.WithoutCancel(ctx), queue, pending.Region)
	}
}

// maxBatch is the number of requests of one batch. Each may reserve another node, and release one.
const maxBatch = ports.MaxReservationNodes / 2

// batchTimeout bounds one batch.
const batchTimeout = 15 * time.Second

// runBatches handles the requests of a region until none waits.
func (s *Scheduler) runBatches(ctx context.Context, queue *regionQueue, region string) {
	for {
		s.mu.Lock()
		batch := queue.waiting[:min(len(queue.waiting), maxBatch)]
		queue.waiting = queue.waiting[len(batch):]
		if len(batch) == 0 {
			queue.waiting, queue.isRunning = nil, false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		batchCtx, cancel := context.WithTimeout(ctx, batchTimeout)
		results, err := s.placeBatch(batchCtx, region, batch)
		cancel()
		for i, pending := range batch {
			if err != nil {
				pending.result <- result{err: fmt.Errorf("select a node of region %q: %w", region, err)}
				continue
			}
			pending.result <- results[i]
		}
	}
}

// Bounds of the delay before a batch is repeated: another daemon has reserved a node at the same
// time.
const (
	minConflictDelay = 2 * time.Millisecond
	maxConflictDelay = 200 * time.Millisecond
)

// placeBatch selects and reserves a node for each request. It repeats that until no other daemon
// changes the reservations of those nodes in between.
func (s *Scheduler) placeBatch(ctx context.Context, region string, batch []*pendingRequest) ([]result, error) {
	var nodes []node.Node
	for _, pending := range batch {
		nodes = append(nodes, pending.Nodes...)
	}
	for delay := minConflictDelay; ; delay = min(2*delay, maxConflictDelay) {
		state, err := s.readRegion(ctx, region, nodes)
		if err != nil {
			return nil, err
		}
		results := make([]result, len(batch))
		for i, pending := range batch {
			results[i] = state.place(pending.Request, s.clock())
		}
		err = s.writeRegion(ctx, state)
		isRepeatable := errors.Is(err, runtime.ErrConflict) || errors.Is(err, runtime.ErrOutcomeUnknown) || errors.Is(err, runtime.ErrUnavailable)
		if !isRepeatable {
			return results, err
		}
		if waitErr := wait.For(ctx, wait.Jittered(delay)); waitErr != nil {
			return nil, err
		}
	}
}

// writeRegion stores the nodes that were reserved, and as many of those with obsolete reservations as one
// transaction may contain: the others are ignored until a later write removes them.
func (s *Scheduler) writeRegion(ctx context.Context, state *regionState) error {
	nodes := state.copiesOf(state.changed, nil)
	obsolete := state.copiesOf(state.obsolete, state.changed)
	nodes = append(nodes, obsolete[:min(len(obsolete), ports.MaxReservationNodes-len(nodes))]...)
	if len(nodes) == 0 {
		return nil
	}
	return s.deps.Reservations.PutReservations(ctx, nodes)
}

// copiesOf returns the reservations of the nodes that are not excluded, ordered by name.
func (s *regionState) copiesOf(refs, excluded map[node.Ref]bool) []node.Reservations {
	var nodes []node.Reservations
	for ref := range refs {
		if !excluded[ref] {
			nodes = append(nodes, *s.reserved[ref])
		}
	}
	slices.SortFunc(nodes, func(a, b node.Reservations) int { return cmp.Compare(a.Node.Name, b.Node.Name) })
	return nodes
}

// Release ends the reservation of the operation on the node. It does nothing if there is none.
func (s *Scheduler) Release(ctx context.Context, ref node.Ref, gameID, operationID string) error {
	return release(ctx, s.deps.Reservations, ref, map[finishedOperation]bool{{gameID, operationID}: true})
}

// regionState is what the nodes of a region run and reserve.
type regionState struct {
	running  Load         // without the games that have a reservation on the same node
	games    []placedGame // those of running
	reserved map[node.Ref]*node.Reservations
	changed  map[node.Ref]bool // of reserved: those with a new reservation
	obsolete map[node.Ref]bool // of reserved: those without some that have expired or were replaced
}

// placedGame is a game that uses a node.
type placedGame struct {
	id     string
	node   node.Ref
	labels map[string]string // shared with the store, so nothing changes them
	uses   node.Resources
}

// readRegion reads the reservations, and then the running games as of that revision or later. A
// game whose reservation ended before is among the running games.
func (s *Scheduler) readRegion(ctx context.Context, region string, nodes []node.Node) (*regionState, error) {
	reservations, revision, err := s.deps.Reservations.Reservations(ctx, region, "")
	if err != nil {
		return nil, err
	}
	state := &regionState{running: Load{}, reserved: map[node.Ref]*node.Reservations{}, changed: map[node.Ref]bool{}, obsolete: map[node.Ref]bool{}}
	for _, r := range reservations {
		copied := r.Clone()
		state.reserved[r.Node] = &copied
	}
	if err := s.dropExpired(ctx, region, state); err != nil {
		return nil, err
	}
	ranges := RangesOf(nodes)
	query := ports.ScanQuery{MinRevision: revision, RecordFilter: ports.RecordFilter{
		HoldsPlace: true, Regions: []string{region},
		// HoldsPlace implies these statuses. Their index spares a read of the removed games, which may be many.
		Statuses: []runtime.Status{runtime.StatusRunning, runtime.StatusStopped},
	}}
	for found, err := range ports.ScanRecords(ctx, s.deps.Records, query) {
		if err != nil {
			return nil, fmt.Errorf("count the running games of each node: %w", err)
		}
		ref := node.RefOf(*found.Record)
		if !state.hasReservation(ref, found.Record.GameID) {
			state.running.Add(*found.Record, ranges)
			state.games = append(state.games, placedGame{found.Record.GameID, ref, found.Record.Labels, requestsOf(*found.Record, ranges[ref])})
		}
	}
	return state, nil
}

// dropExpired removes the expired reservations from the state.
func (s *Scheduler) dropExpired(ctx context.Context, region string, state *regionState) error {
	now := s.clock()
	observed := map[reservationID]bool{}
	var old []reservationID
	s.mu.Lock()
	for ref, reserved := range state.reserved {
		for gameID, r := range reserved.Games {
			id := reservationID{ref, gameID, r.Operation}
			observed[id] = true
			first, isKnown := s.seen[id]
			if !isKnown {
				s.seen[id] = now
			} else if now.Sub(first) >= expiry {
				old = append(old, id)
			}
		}
	}
	maps.DeleteFunc(s.seen, func(id reservationID, _ time.Time) bool { return id.node.Region == region && !observed[id] })
	s.mu.Unlock()
	if len(old) == 0 {
		return nil
	}
	active := map[node.Ref][]string{}
	for _, id := range old {
		if _, isRead := active[id.node]; !isRead && s.deps.Operations != nil {
			games, err := s.deps.Operations.GamesWithActiveOperation(ctx, id.node.Region, id.node.Name)
			if err != nil {
				return fmt.Errorf("read the operations of node %s: %w", id.node, err)
			}
			active[id.node] = games
		}
		if !slices.Contains(active[id.node], id.gameID) {
			delete(state.reserved[id.node].Games, id.gameID)
			state.obsolete[id.node] = true
		}
	}
	return nil
}

func (s *regionState) hasReservation(ref node.Ref, gameID string) bool {
	reserved := s.reserved[ref]
	if reserved == nil {
		return false
	}
	_, found := reserved.Games[gameID]
	return found
}

// loadWithout returns what the games of each node use, without one game and its reservations.
func (s *regionState) loadWithout(gameID string) Load {
	load := maps.Clone(s.running)
	for _, game := range s.games {
		if game.id == gameID {
			used := load[game.node]
			used.Remove(game.uses)
			load[game.node] = used
		}
	}
	for ref, reserved := range s.reserved {
		for id, r := range reserved.Games {
			if id != gameID {
				load.AddGame(ref, r.Resources)
			}
		}
	}
	return load
}

// countUnreserved counts the games that nodes are starting without a reservation, as their offers
// report. A node counts only those: an offer is older than the reservations. Some may have ended since, and
// the difference to all starts would count their games twice.
func countUnreserved(offers map[node.Ref]node.Offer) map[node.Ref]int {
	counts := map[node.Ref]int{}
	for ref, offer := range offers {
		counts[ref] = offer.Starting
	}
	return counts
}

// complete adds what the nodes use to the request, and excludes those whose reservations cannot be read.
func (s *regionState) complete(request Request) Request {
	request.Load, request.Unreserved = s.loadWithout(request.GameID), countUnreserved(request.Offers)
	request.SpreadGames = s.countSpread(request)
	request.Excluded = maps.Clone(request.Excluded)
	for ref, reserved := range s.reserved {
		if reserved.Fault == nil {
			continue
		}
		if request.Excluded == nil {
			request.Excluded = map[node.Ref]string{}
		}
		request.Excluded[ref] = "has reservations that cannot be read: " + reserved.Fault.Error()
	}
	return request
}

// place selects the node of one request and adds its reservation to the state.
func (s *regionState) place(request Request, now time.Time) result {
	request = s.complete(request)
	if reservedAt := s.reservedNode(request); !reservedAt.IsZero() && !s.isOfEarlierOperation(request, reservedAt) {
		// The request is repeated, or another one for the game is in progress: the node decides.
		placement := node.Placement{Region: request.Region, Selected: reservedAt}
		return result{placement: placement, isHeld: s.reserved[reservedAt].Games[request.GameID].Operation == request.OperationID}
	}
	placement := Select(request)
	if placement.Selected.IsZero() {
		return result{placement: placement}
	}
	for ref := range s.reserved { // of an earlier attempt on a node that is excluded now
		if _, found := s.reserved[ref].Games[request.GameID]; found {
			delete(s.reserved[ref].Games, request.GameID)
			s.obsolete[ref] = true
		}
	}
	ref := placement.Selected
	if s.reserved[ref] == nil {
		s.reserved[ref] = &node.Reservations{Node: ref, Games: map[string]node.Reservation{}}
	}
	s.reserved[ref].Games[request.GameID] = node.Reservation{Resources: request.resources(), Operation: request.OperationID, Group: groupOf(request), At: now.UTC()}
	s.changed[ref] = true
	return result{placement: placement, isHeld: true}
}

// reservedNode returns the candidate that has a reservation of the game, and the zero Ref if none
// has or the candidate is excluded.
func (s *regionState) reservedNode(request Request) node.Ref {
	for _, n := range request.Nodes {
		if s.hasReservation(n.Ref(), request.GameID) && request.Excluded[n.Ref()] == "" {
			return n.Ref()
		}
	}
	return node.Ref{}
}

// isOfEarlierOperation reports whether the reservation on the node is that of an operation that has ended: the caller
// of a request for more resources has found no operation in progress on the game.
func (s *regionState) isOfEarlierOperation(request Request, ref node.Ref) bool {
	return request.Current != nil && s.reserved[ref].Games[request.GameID].Operation != request.OperationID
}
