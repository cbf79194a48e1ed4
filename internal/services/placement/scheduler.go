package placement

import (
	"context"
	"fmt"
	"sync"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// RecordLister lists records in pages.
type RecordLister interface {
	ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error)
}

// Scheduler selects nodes by the records of a store, and by the games that it has placed
// and that no record counts yet. It is safe for concurrent use.
type Scheduler struct {
	records RecordLister

	mu      sync.Mutex
	pending Load // games that were placed and not released; guarded by mu
}

// NewScheduler returns a scheduler that counts games in records.
func NewScheduler(records RecordLister) *Scheduler {
	return &Scheduler{records: records, pending: Load{}}
}

// Selection is the node that was selected for a game.
type Selection struct {
	Node node.Node
	// Release must be called when the start of the game has ended. Until then the game
	// counts as one of the node.
	Release func()
}

// Select fills in the request's Load and returns the best candidate, and false if
// there is none. It counts games only if there is a choice. Its error is the store's.
func (s *Scheduler) Select(ctx context.Context, request Request) (Selection, bool, error) {
	request.Nodes = Candidates(request.Nodes, request.Region)
	running := Load{}
	if len(request.Nodes) > 1 {
		var err error
		if running, err = s.countRunning(ctx, request.Region); err != nil {
			return Selection{}, false, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	request.Load = Load{}
	for _, n := range request.Nodes {
		ref := n.Ref()
		// A game that this daemon has placed may be one of those that the node is starting.
		request.Load[ref] = running[ref] + max(s.pending[ref], request.Offers[ref].Starting)
	}
	selected, found := Select(request)
	if !found {
		return Selection{}, false, nil
	}
	s.pending[selected.Ref()]++
	return Selection{Node: selected, Release: sync.OnceFunc(func() { s.release(selected.Ref()) })}, true, nil
}

func (s *Scheduler) release(ref node.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending[ref]--; s.pending[ref] == 0 {
		delete(s.pending, ref)
	}
}

// countRunning counts the running games of each node of a region, or of all regions if
// region is empty. It reads the store's cache of the records, which may lag behind etcd.
func (s *Scheduler) countRunning(ctx context.Context, region string) (Load, error) {
	load := Load{}
	query := ports.PageQuery{Status: runtime.StatusRunning, Region: region, Limit: ports.MaxPageLimit, Local: true}
	for page, err := range ports.AllPages(ctx, s.records, query) {
		if err != nil {
			return nil, fmt.Errorf("count the running games of each node: %w", err)
		}
		for _, found := range page.Records {
			load.Add(found.Record)
		}
	}
	return load, nil
}
