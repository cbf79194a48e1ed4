package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
)

// ApplyDrift applies each finding on its node, on all nodes concurrently. It returns one
// result per finding, in the same order. A forwarded request applies only the findings of
// this node.
func (s *Service) ApplyDrift(ctx context.Context, findings []drift.Finding, actor string, isForwarded bool) []drift.ApplyResult {
	byNode := map[node.Ref][]int{}
	for i, f := range findings {
		ref := node.Ref{Region: f.Region, Name: f.Node}
		byNode[ref] = append(byNode[ref], i)
	}
	results := make([]drift.ApplyResult, len(findings))
	var requests sync.WaitGroup
	for ref, indexes := range byNode {
		requests.Go(func() {
			ofNode := make([]drift.Finding, len(indexes))
			for i, index := range indexes {
				ofNode[i] = findings[index]
			}
			for i, result := range s.applyOn(ctx, ref, ofNode, actor, isForwarded) {
				results[indexes[i]] = result
			}
		})
	}
	requests.Wait()
	return results
}

// applyOn applies findings of one node on that node, and returns one result per finding.
func (s *Service) applyOn(ctx context.Context, ref node.Ref, findings []drift.Finding, actor string, isForwarded bool) []drift.ApplyResult {
	results, err := s.tryApply(ctx, ref, findings, actor, isForwarded)
	if err == nil && len(results) != len(findings) {
		err = fmt.Errorf("node %s returned %d results for %d findings", ref, len(results), len(findings))
	}
	if err != nil {
		results = make([]drift.ApplyResult, len(findings))
		for i, f := range findings {
			results[i] = newResult(f, drift.ApplyFailed, err.Error())
		}
	}
	return results
}

// tryApply applies findings of one node on that node.
func (s *Service) tryApply(
	ctx context.Context, ref node.Ref, findings []drift.Finding, actor string, isForwarded bool,
) (results []drift.ApplyResult, err error) {
	defer s.recoverPanic("apply findings on node "+ref.String(), &err)
	switch {
	case ref == s.self:
		return s.applyLocal(ctx, findings, actor)
	case isForwarded:
		return nil, &node.MisroutedError{Node: ref, Local: s.self}
	default:
		return s.applyRemote(ctx, ref, findings, actor)
	}
}

func (s *Service) applyRemote(ctx context.Context, ref node.Ref, findings []drift.Finding, actor string) ([]drift.ApplyResult, error) {
	target, err := s.presentNode(ctx, ref)
	if err != nil {
		return nil, err
	}
	ctx, stop := s.WithPresence(ctx, *target)
	defer stop()
	return s.deps.Peer.ApplyDrift(ctx, *target, findings, actor)
}

// applyLocal applies this node's current findings that match the requested ones. The
// actions are those of the current findings, never those of the request.
func (s *Service) applyLocal(ctx context.Context, requested []drift.Finding, actor string) ([]drift.ApplyResult, error) {
	if err := s.requireEngine(); err != nil {
		return nil, err
	}
	report, err := s.deps.Local.Drift(ctx)
	if err != nil {
		return nil, s.logAndHide(ctx, "read the drift of this node", err)
	}
	results := make([]drift.ApplyResult, len(requested))
	var current []drift.Finding
	var indexes []int // of the current findings, in results
	for i, f := range requested {
		finding, staleReason := findCurrent(report.Findings, f)
		if staleReason != "" {
			results[i] = newResult(f, drift.ApplyStale, staleReason)
			continue
		}
		current, indexes = append(current, finding), append(indexes, i)
	}
	if len(current) == 0 {
		return results, nil
	}
	applied, err := s.deps.Local.ApplyDrift(ctx, current, actor)
	if err == nil && len(applied) != len(current) {
		err = fmt.Errorf("the node returned %d results for %d findings", len(applied), len(current))
	}
	if err = s.logAndHide(ctx, "apply findings of this node", err); err != nil {
		for i, index := range indexes {
			results[index] = newResult(current[i], drift.ApplyFailed, err.Error())
		}
		return results, nil
	}
	for i, index := range indexes {
		results[index] = applied[i]
	}
	return results, nil
}

// findCurrent returns the current finding that matches the requested one, or the reason
// why there is none.
func findCurrent(findings []drift.Finding, requested drift.Finding) (current drift.Finding, staleReason string) {
	i := slices.IndexFunc(findings, func(f drift.Finding) bool { return f.ID == requested.ID })
	if i < 0 {
		return drift.Finding{}, "the node no longer finds it"
	}
	switch current := findings[i]; {
	case requested.GameID != "" && current.GameID != requested.GameID:
		// The caller may have rights for the game of its request only.
		return drift.Finding{}, "the finding is about another game"
	case current.RecordRevision != requested.RecordRevision:
		return current, fmt.Sprintf("the record is at revision %d now, not at %d", current.RecordRevision, requested.RecordRevision)
	case current.IntentRevision != requested.IntentRevision:
		return current, fmt.Sprintf("the intent is at revision %d now, not at %d", current.IntentRevision, requested.IntentRevision)
	case requested.Action != "" && current.Action != requested.Action:
		return current, fmt.Sprintf("proposes %s now, not %s", current.Action, requested.Action)
	default:
		return current, ""
	}
}

func newResult(f drift.Finding, status drift.ApplyStatus, reason string) drift.ApplyResult {
	return drift.ApplyResult{
		ID: f.ID, GameID: f.GameID, Region: f.Region, Node: f.Node, Action: f.Action, Status: status, Reason: reason,
	}
}

// ReleaseBrake releases the brake of a node, this one if ref is zero. A name without a
// region is one of this daemon's region. It returns the node whose brake it released.
func (s *Service) ReleaseBrake(ctx context.Context, ref node.Ref, isForwarded bool) (node.Ref, error) {
	if ref.IsZero() {
		ref = s.self
	}
	ref.Region = cmp.Or(ref.Region, s.self.Region)
	switch {
	case ref == s.self:
		if err := s.requireEngine(); err != nil {
			return ref, err
		}
		return ref, s.deps.Local.ReleaseBrake(ctx)
	case isForwarded:
		return ref, &node.MisroutedError{Node: ref, Local: s.self}
	}
	target, err := s.presentNode(ctx, ref)
	if err != nil {
		return ref, err
	}
	ctx, stop := s.WithPresence(ctx, *target)
	defer stop()
	return ref, s.deps.Peer.ReleaseBrake(ctx, *target)
}
