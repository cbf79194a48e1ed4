package cluster

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
)

// releaseTimeout bounds the release of a node whose request has not reached it.
const releaseTimeout = 5 * time.Second

// reserve selects and reserves a node for the request of the search; nil is this one. release is
// nil if nothing was reserved.
func (s *Service) reserve(ctx context.Context, search placement.Request) (_ *node.Node, release func(), _ error) {
	if len(search.Nodes) == 0 {
		return s.withoutCandidates(search)
	}
	selection, err := s.scheduler.Select(ctx, search)
	switch {
	case err != nil:
		return nil, nil, err
	case selection.Selected.IsZero():
		return nil, nil, noCapacity(search, selection.Placement)
	}
	if selection.IsReserved {
		release = func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
			defer cancel()
			if err := s.scheduler.Release(ctx, selection.Selected, search.GameID, search.OperationID); err != nil {
				s.cfg.Logger.Warn("reservation cannot be released; it expires", "game_id", search.GameID, "node", selection.Selected.String(), "error", err)
			}
		}
	}
	if selection.Selected == s.self && s.deps.Local != nil {
		return nil, release, nil
	}
	found, _ := node.Find(search.Nodes, selection.Selected)
	return &found, release, nil
}

// withoutCandidates returns the error of a region without a node that runs games. A daemon with
// an engine reports itself why it is not present.
func (s *Service) withoutCandidates(search placement.Request) (*node.Node, func(), error) {
	if s.deps.Local != nil && search.Region == s.self.Region {
		return nil, nil, nil
	}
	return nil, nil, noCandidates(search.Region)
}

func noCandidates(region string) error {
	return &node.UnreachableError{
		Node:   node.Ref{Region: region},
		Reason: fmt.Sprintf("no node that runs games is present in region %q; start a daemon with an engine there, or name another region", region),
	}
}

// noCapacity returns the error of a search without a node that fits.
func noCapacity(search placement.Request, checked node.Placement) error {
	err := &node.NoCapacityError{Region: search.Region, Nodes: checked.Nodes}
	if search.IsNamed {
		err.Node = search.Nodes[0].Ref()
	}
	return err
}

// newSearch returns the search for the node of a start. The region is the requested one, that of
// the present node that the game ran on last, or that of this daemon.
func (s *Service) newSearch(ctx context.Context, d destination, request ports.OperationRequest) (placement.Request, error) {
	region, previous, intent := d.node.Region, d.previous, d.intent
	present, err := d.readNodes(ctx)
	if err != nil {
		return placement.Request{}, err
	}
	if found, isPresent := node.Find(present, previous); region == "" && isPresent && found.Engine != "" {
		region = previous.Region
	}
	region = cmp.Or(region, s.self.Region)
	search := placement.Request{
		GameID: request.GameID, OperationID: request.Origin.OperationID, Spec: specOf(request, intent), Labels: labelsOf(request, intent),
		Region: region, Nodes: placement.Candidates(present, region), Excluded: map[node.Ref]string{},
		Failures: placement.RecentFailures(intent.Recent), Previous: previous, Preferred: s.self,
	}
	if len(search.Nodes) > 1 && request.Spec != nil {
		search.AddOffers(ctx, offerSource{s}, func(ref node.Ref, err error) string {
			s.cfg.Logger.Info("node cannot run a game", "game_id", search.GameID, "node", ref.String(), "error", err)
			return s.cfg.ErrorText(err)
		})
	}
	return search, nil
}

// newNamedSearch returns the search for a start on one node.
func newNamedSearch(n node.Node, request ports.OperationRequest, intent operation.Intent) placement.Request {
	return placement.Request{
		GameID: request.GameID, OperationID: request.Origin.OperationID, Spec: specOf(request, intent), Labels: labelsOf(request, intent),
		Region: n.Region, Nodes: []node.Node{n}, IsNamed: true,
	}
}

// specOf returns the spec of a request, or the previous one of the game.
func specOf(request ports.OperationRequest, intent operation.Intent) operation.Spec {
	if request.Spec != nil {
		return *request.Spec
	}
	return intent.Spec
}

// labelsOf returns the labels of a request, or the previous ones of the game.
func labelsOf(request ports.OperationRequest, intent operation.Intent) map[string]string {
	if request.Labels != nil {
		return request.Labels
	}
	return intent.Labels
}

// offerSource implements placement.OfferSource.
type offerSource struct{ *Service }

// Offer returns the offer of one node.
func (s offerSource) Offer(ctx context.Context, candidate node.Node, gameID string, spec operation.Spec) (node.Offer, error) {
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
