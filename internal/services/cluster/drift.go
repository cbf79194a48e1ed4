package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

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
// nodes that a record names. The games of lost nodes are findings, also in a region without
// a leader that would report them.
//
// It makes at most two round trips: one reads the nodes, one goes to each node.
func (s *Service) Drift(ctx context.Context) (drift.Report, error) {
	overview, err := s.readOverview(ctx)
	if err != nil {
		return drift.Report{}, err
	}
	nodes := placement.Candidates(overview.Present, "")
	if _, isPresent := node.Find(nodes, s.self); s.deps.Local != nil && !isPresent {
		nodes = append(nodes, node.Node{Region: s.self.Region, Name: s.self.Name})
	}
	if len(nodes) == 0 && s.deps.Nodes == nil {
		return drift.Report{}, s.requireEngine()
	}
	games, err := s.readGames(ctx)
	if err != nil {
		return drift.Report{}, err
	}
	merged := drift.Report{Missing: findAbsentNodes(games, nodes)}
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
	if !overview.IsStale {
		merged.Findings = append(merged.Findings, findLostGames(games, overview, merged.Findings)...)
	}
	sortReport(&merged)
	return merged, nil
}

// readDrift returns the report of one node. Its errors contain no internals of this node.
func (s *Service) readDrift(ctx context.Context, target node.Node) (report drift.Report, err error) {
	defer s.recoverPanic("read the drift of node "+target.Ref().String(), &err)
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

// readOverview returns an empty overview if this daemon is not part of a cluster.
func (s *Service) readOverview(ctx context.Context) (node.Overview, error) {
	if s.deps.Nodes == nil {
		return node.Overview{}, nil
	}
	overview, err := s.deps.Nodes.Overview(ctx)
	if err != nil {
		return overview, fmt.Errorf("list the nodes: %w", err)
	}
	return overview, nil
}

// findAbsentNodes returns the nodes that records name and that are not among present.
func findAbsentNodes(games map[node.Ref][]ports.SharedRecord, present []node.Node) []drift.UnreachableNode {
	var absent []drift.UnreachableNode
	for ref, found := range games {
		if _, isPresent := node.Find(present, ref); isPresent || ref.Name == "" {
			continue
		}
		reason := "is not among the present nodes that run games, and a record names it"
		if len(found) > 1 {
			reason = fmt.Sprintf("is not among the present nodes that run games, and %d record(s) name it", len(found))
		}
		absent = append(absent, drift.UnreachableNode{Region: ref.Region, Node: ref.Name, Reason: reason})
	}
	return absent
}

// findLostGames returns a finding for each running game of an absent node that is not among
// the findings: the leader of a region reports its lost games, and a region all of whose
// nodes are lost has none.
func findLostGames(games map[node.Ref][]ports.SharedRecord, overview node.Overview, reported []drift.Finding) []drift.Finding {
	isReported := map[string]bool{}
	for _, f := range reported {
		if f.Kind == drift.KindNodeLost {
			isReported[f.GameID] = true
		}
	}
	var lost []drift.Finding
	for ref, ofNode := range games {
		if _, isPresent := node.Find(overview.Present, ref); isPresent || ref.Name == "" {
			continue
		}
		for _, found := range ofNode {
			record := found.Record
			if record.Status != runtime.StatusRunning || isReported[record.GameID] {
				continue
			}
			evidence := fmt.Sprintf("node %s of the game is absent", ref)
			switch leader, hasLeader := overview.LeaderOf(ref.Region); {
			case !hasLeader:
				evidence += fmt.Sprintf(", and no node of region %s is present to reschedule it", ref.Region)
			case leader.Region != ref.Region:
				evidence += fmt.Sprintf(", and no node of region %s is present; %s is its caretaker", ref.Region, leader)
			}
			lost = append(lost, drift.Finding{
				ID:   fmt.Sprintf("%s/%s/%s", drift.KindNodeLost, record.GameID, record.CurrentContainerID),
				Kind: drift.KindNodeLost, GameID: record.GameID, Region: ref.Region, Node: ref.Name, Action: drift.ActionNone,
				ContainerID: record.CurrentContainerID, Evidence: evidence, RecordRevision: found.Revision, FirstSeen: lostSince(overview, ref), Observations: 1,
			})
		}
	}
	return lost
}

// lostSince returns when the loss of the node was detected: now if it was not before.
func lostSince(overview node.Overview, ref node.Ref) time.Time {
	if absent, isKnown := overview.FindAbsent(ref); isKnown && !absent.LostAt.IsZero() {
		return absent.LostAt
	}
	return time.Now().UTC()
}

// readGames returns the running and stopped games of each node that a record names. It
// reads the store's cache of the records, which may lag behind etcd, and shares them with it.
func (s *Service) readGames(ctx context.Context) (map[node.Ref][]ports.SharedRecord, error) {
	games := map[node.Ref][]ports.SharedRecord{}
	for _, status := range []runtime.Status{runtime.StatusRunning, runtime.StatusStopped} {
		query := ports.ScanQuery{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{status}}, Local: true}
		for found, err := range ports.ScanRecords(ctx, s.deps.Records, query) {
			if err != nil {
				return nil, fmt.Errorf("list the games of each node: %w", err)
			}
			ref := node.RefOf(*found.Record)
			games[ref] = append(games[ref], found)
		}
	}
	return games, nil
}

// countGames counts the games of each node.
func countGames(games map[node.Ref][]ports.SharedRecord) map[node.Ref]int {
	counts := map[node.Ref]int{}
	for ref, ofNode := range games {
		counts[ref] = len(ofNode)
	}
	return counts
}

// recoverPanic turns a panic into an error of the request to one node. The goroutines of a
// request to all nodes are not those of the HTTP server, which would recover.
func (s *Service) recoverPanic(action string, err *error) {
	if reason := recover(); reason != nil {
		s.cfg.Logger.Error("panic", "action", action, "reason", reason, "stack", string(debug.Stack()))
		*err = publicError(action + ": internal error: the server's log has the details")
	}
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
