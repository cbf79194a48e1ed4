package cluster

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
)

// offerTimeout bounds how long a start waits for the offers of nodes.
const offerTimeout = 2 * time.Second

// noRelease is the release of a request whose node was not scheduled.
func noRelease() {}

// schedule returns the best present node of a region for the start of a game, nil for this
// one. The region is the requested one, that of the present node that the game ran on last,
// or that of this daemon. The caller must call release, also after an error.
func (s *Service) schedule(ctx context.Context, region string, previous node.Ref, request ports.OperationRequest) (_ *node.Node, release func(), _ error) {
	if s.deps.Nodes == nil {
		return nil, noRelease, s.requireEngine()
	}
	present, err := s.presentNodes(ctx)
	if err != nil {
		return nil, noRelease, err
	}
	if found, isPresent := node.Find(present, previous); region == "" && isPresent && found.Engine != "" {
		region = previous.Region
	}
	region = cmp.Or(region, s.self.Region)
	search := placement.Request{
		Region: region, Nodes: placement.Candidates(present, region), Previous: previous, Preferred: s.self,
	}
	if len(search.Nodes) > 1 && request.Spec != nil {
		search.Nodes, search.Offers = s.collectOffers(ctx, search.Nodes, request.GameID, *request.Spec)
	}
	selection, found, err := s.scheduler.Select(ctx, search)
	switch {
	case err != nil:
		return nil, noRelease, err
	case !found && s.deps.Local != nil && region == s.self.Region:
		return nil, noRelease, nil // it reports why this node is not present
	case !found:
		return nil, noRelease, &node.UnreachableError{
			Node:   node.Ref{Region: region},
			Reason: fmt.Sprintf("no node that runs games is present in region %q; start a daemon with an engine there, or name another region", region),
		}
	case selection.Node.Ref() == s.self && s.deps.Local != nil:
		return nil, selection.Release, nil
	}
	return &selection.Node, selection.Release, nil
}

// collectOffers requests an offer for the game from each candidate. It returns the
// candidates without those that cannot run the game: they reject the spec, their engine is
// unavailable, or they do not respond. If no candidate remains, it returns all of them, so
// that the error of one reaches the client.
func (s *Service) collectOffers(ctx context.Context, candidates []node.Node, gameID string, spec operation.Spec) ([]node.Node, map[node.Ref]node.Offer) {
	ctx, cancel := context.WithTimeout(ctx, offerTimeout)
	defer cancel()
	offers := make([]node.Offer, len(candidates))
	errs := make([]error, len(candidates))
	var calls sync.WaitGroup
	for i, candidate := range candidates {
		calls.Go(func() { offers[i], errs[i] = s.offerOf(ctx, candidate, gameID, spec) })
	}
	calls.Wait()
	var able []node.Node
	found := map[node.Ref]node.Offer{}
	for i, candidate := range candidates {
		if errs[i] != nil {
			s.cfg.Logger.Info("node cannot run a game", "game_id", gameID, "node", candidate.Ref().String(), "error", errs[i])
			continue
		}
		able = append(able, candidate)
		found[candidate.Ref()] = offers[i]
	}
	if len(able) == 0 {
		return candidates, nil
	}
	return able, found
}

// offerOf returns the offer of one node.
func (s *Service) offerOf(ctx context.Context, candidate node.Node, gameID string, spec operation.Spec) (node.Offer, error) {
	if candidate.Ref() == s.self && s.deps.Local != nil {
		return s.deps.Local.Offer(ctx, gameID, spec)
	}
	return s.deps.Peer.Offer(ctx, candidate, gameID, spec)
}

// Offer returns the offer of this node for a game.
func (s *Service) Offer(ctx context.Context, gameID string, spec operation.Spec) (node.Offer, error) {
	if err := s.requireEngine(); err != nil {
		return node.Offer{}, err
	}
	return s.deps.Local.Offer(ctx, gameID, spec)
}
