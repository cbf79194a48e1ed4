package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
)

// LocalDrift returns the findings of this node, or node.ErrNoEngine.
func (s *Service) LocalDrift(ctx context.Context) (drift.Report, error) {
	if err := s.requireEngine(); err != nil {
		return drift.Report{}, err
	}
	return s.deps.Local.Drift(ctx)
}

// Drift requests the reports of all nodes that run games, concurrently, and merges them.
// Missing lists the nodes that do not respond within Config.PeerTimeout, and the absent
// nodes that a record names.
func (s *Service) Drift(ctx context.Context) (drift.Report, error) {
	present, err := s.presentNodes(ctx)
	if err != nil {
		return drift.Report{}, err
	}
	nodes := placement.Candidates(present, "")
	if _, isPresent := node.Find(nodes, s.self); s.deps.Local != nil && !isPresent {
		nodes = append(nodes, node.Node{Region: s.self.Region, Name: s.self.Name})
	}
	if len(nodes) == 0 && s.deps.Nodes == nil {
		return drift.Report{}, s.requireEngine()
	}
	absent, err := s.findAbsentNodes(ctx, nodes)
	if err != nil {
		return drift.Report{}, err
	}
	merged := drift.Report{Missing: absent}
	var mu sync.Mutex // guards merged
	var requests sync.WaitGroup
	for _, target := range nodes {
		requests.Go(func() {
			report, err := s.readDrift(ctx, target)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				merged.Missing = append(merged.Missing, drift.UnreachableNode{Region: target.Region, Node: target.Name, Reason: err.Error()})
				return
			}
			merged.Findings = append(merged.Findings, report.Findings...)
			merged.Brakes = append(merged.Brakes, report.Brakes...)
			merged.Missing = append(merged.Missing, report.Missing...)
		})
	}
	requests.Wait()
	sortReport(&merged)
	return merged, nil
}

// readDrift returns the report of one node. Its errors contain no internals of this node.
func (s *Service) readDrift(ctx context.Context, target node.Node) (drift.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.PeerTimeout)
	defer cancel()
	if target.Ref() == s.self && s.deps.Local != nil {
		report, err := s.deps.Local.Drift(ctx)
		return report, s.logAndHide(ctx, "read the drift of this node", err)
	}
	ctx, stop := s.WithPresence(ctx, target)
	defer stop()
	return s.deps.Peer.Drift(ctx, target)
}

// logAndHide logs an error of this node, and returns an error with the text that clients
// may see.
func (s *Service) logAndHide(ctx context.Context, action string, err error) error {
	if err == nil {
		return nil
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		s.cfg.Logger.Error(action, "error", err)
	}
	return publicError(s.cfg.ErrorText(err))
}

type publicError string

func (e publicError) Error() string { return string(e) }

// findAbsentNodes returns the nodes that records name and that are not among present.
func (s *Service) findAbsentNodes(ctx context.Context, present []node.Node) ([]drift.UnreachableNode, error) {
	games, err := s.countGames(ctx)
	if err != nil {
		return nil, err
	}
	var absent []drift.UnreachableNode
	for ref, count := range games {
		if _, isPresent := node.Find(present, ref); isPresent || ref.Name == "" {
			continue
		}
		reason := "is not among the present nodes that run games, and a record names it"
		if count > 1 {
			reason = fmt.Sprintf("is not among the present nodes that run games, and %d records name it", count)
		}
		absent = append(absent, drift.UnreachableNode{Region: ref.Region, Node: ref.Name, Reason: reason})
	}
	return absent, nil
}

// countGames counts the running and stopped games of each node that a record names.
// It reads the store's cache of the records, which may lag behind etcd.
func (s *Service) countGames(ctx context.Context) (map[node.Ref]int, error) {
	games := map[node.Ref]int{}
	for _, status := range []runtime.Status{runtime.StatusRunning, runtime.StatusStopped} {
		query := ports.PageQuery{Status: status, Limit: ports.MaxPageLimit, Local: true}
		for page, err := range ports.AllPages(ctx, s.deps.Records, query) {
			if err != nil {
				return nil, fmt.Errorf("count the games of each node: %w", err)
			}
			for _, found := range page.Records {
				games[node.RefOf(found.Record)]++
			}
		}
	}
	return games, nil
}

func sortReport(r *drift.Report) {
	slices.SortFunc(r.Findings, func(a, b drift.Finding) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Node, b.Node), cmp.Compare(a.GameID, b.GameID), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(r.Brakes, func(a, b drift.Brake) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Node, b.Node))
	})
	slices.SortFunc(r.Missing, func(a, b drift.UnreachableNode) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Node, b.Node))
	})
}
