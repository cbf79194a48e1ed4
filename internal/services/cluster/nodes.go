package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/services/placement"
)

// Nodes returns the nodes of the cluster with one read of the registry. It returns
// node.ErrNotMember if this daemon is not part of a cluster.
func (s *Service) Nodes(ctx context.Context) (node.List, error) {
	if s.deps.Nodes == nil {
		return node.List{}, node.ErrNotMember
	}
	overview, err := s.deps.Nodes.Overview(ctx)
	if err != nil {
		return node.List{}, fmt.Errorf("list the nodes: %w", err)
	}
	read, err := s.readGames(ctx)
	if err != nil {
		return node.List{}, err
	}
	games, used, ranges := countGames(read), placement.Load{}, placement.RangesOf(overview.Present)
	for _, ofNode := range read {
		for _, found := range ofNode {
			used.Add(*found.Record, ranges)
		}
	}
	nodes := node.List{IsStale: overview.IsStale, Regions: overview.Regions(games)}
	now := time.Now()
	for _, n := range overview.Present {
		nodes.Items = append(nodes.Items, node.Member{
			Node: n, Status: node.StatusReady, Games: games[n.Ref()], Used: used[n.Ref()], ClockOffset: clockOffset(n.Now, now),
		})
		delete(games, n.Ref())
	}
	for _, a := range overview.Absent {
		nodes.Items = append(nodes.Items, node.Member{Node: a.Node, Status: a.Status(), Since: a.Since(), Games: games[a.Ref()]})
		delete(games, a.Ref())
	}
	for ref, count := range games { // of nodes that the registry does not know
		if ref.Name != "" {
			nodes.Items = append(nodes.Items, node.Member{Node: node.Node{Region: ref.Region, Name: ref.Name}, Status: node.StatusLost, Games: count})
		}
	}
	slices.SortFunc(nodes.Items, func(a, b node.Member) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Name, b.Name))
	})
	for _, l := range overview.Leaders {
		if l.Scope == l.Region {
			nodes.Leaders = append(nodes.Leaders, node.Ref{Region: l.Region, Name: l.Node})
		}
	}
	return nodes, nil
}

const (
	// maxClockAge is how old the stored time of a node's clock may be: a node stores it
	// every minute, and a lost one stays present for a while.
	maxClockAge = 90 * time.Second
	// clockTolerance is the difference of clocks that is not reported.
	clockTolerance = 5 * time.Second
)

// clockOffset returns by how much a clock is ahead of now, given the time that it had at
// most maxClockAge ago. It returns 0 unless the clocks certainly differ.
func clockOffset(stored, now time.Time) time.Duration {
	switch offset := stored.Sub(now); {
	case stored.IsZero():
		return 0
	case offset > clockTolerance:
		return offset
	case offset < -maxClockAge-clockTolerance:
		return offset + maxClockAge
	default:
		return 0
	}
}

// RemoveNode removes an absent node from the list of nodes. It returns an
// *operation.RejectedError for a present node, and for one that records still name unless
// isForced; runtime.ErrNotFound for an unknown node.
func (s *Service) RemoveNode(ctx context.Context, ref node.Ref, isForced bool) error {
	if s.deps.Nodes == nil {
		return node.ErrNotMember
	}
	present, err := s.presentNodes(ctx)
	if err != nil {
		return err
	}
	if _, isPresent := node.Find(present, ref); isPresent {
		return &operation.RejectedError{Operation: "remove node", Reason: fmt.Sprintf("node %s is present; stop its daemon first", ref)}
	}
	games, err := s.readGames(ctx)
	if err != nil {
		return err
	}
	if count := len(games[ref]); count > 0 && !isForced {
		return &operation.RejectedError{
			Operation: "remove node", Reason: fmt.Sprintf("%d game(s) are on node %s; clean them up or start them elsewhere first, or force the removal", count, ref),
		}
	}
	return s.deps.Nodes.RemoveNode(ctx, ref)
}
