package placement

import (
	"context"
	"fmt"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// RecordLister lists records in pages.
type RecordLister interface {
	ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error)
}

// Scheduler selects nodes by the records of a store. It is safe for concurrent use.
type Scheduler struct{ records RecordLister }

// NewScheduler returns a scheduler that counts games in records.
func NewScheduler(records RecordLister) *Scheduler { return &Scheduler{records: records} }

// Select fills in the request's Load and returns the best candidate, and false if
// there is none. It counts games only if there is a choice. Its error is the store's.
func (s *Scheduler) Select(ctx context.Context, request Request) (node.Node, bool, error) {
	request.Nodes = Candidates(request.Nodes, request.Region)
	if len(request.Nodes) > 1 {
		load, err := s.countLoad(ctx, request.Region)
		if err != nil {
			return node.Node{}, false, err
		}
		request.Load = load
	}
	selected, found := Select(request)
	return selected, found, nil
}

// countLoad counts the running games of each node of a region, or of all regions if region
// is empty. It reads the store's cache of the records, which may lag behind etcd.
func (s *Scheduler) countLoad(ctx context.Context, region string) (Load, error) {
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
