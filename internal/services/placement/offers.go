package placement

import (
	"context"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
)

// offerTimeout bounds how long a selection waits for the offers of nodes.
const offerTimeout = 2 * time.Second

// OfferSource requests offers from nodes.
type OfferSource interface {
	// Offer returns the offer of the node for a game. An error means that the node cannot run the
	// game: it rejects the spec, its engine is unavailable, or it does not respond.
	Offer(ctx context.Context, target node.Node, gameID string, spec operation.Spec) (node.Offer, error)
}

// AddOffers requests an offer for the game from each node that is not excluded, for at most 2 s, and
// sets Offers. It excludes the nodes that cannot run the game, with the text that explain returns for the
// error. If no node remains, it excludes none, so that the error of one reaches the client.
func (r *Request) AddOffers(ctx context.Context, source OfferSource, explain func(node.Ref, error) string) {
	ctx, cancel := context.WithTimeout(ctx, offerTimeout)
	defer cancel()
	offers := make([]node.Offer, len(r.Nodes))
	errs := make([]error, len(r.Nodes))
	var calls sync.WaitGroup
	for i, candidate := range r.Nodes {
		if r.Excluded[candidate.Ref()] == "" {
			calls.Go(func() { offers[i], errs[i] = source.Offer(ctx, candidate, r.GameID, r.Spec) })
		}
	}
	calls.Wait()
	found, reasons := map[node.Ref]node.Offer{}, map[node.Ref]string{}
	for i, candidate := range r.Nodes {
		ref := candidate.Ref()
		switch {
		case r.Excluded[ref] != "":
		case errs[i] != nil:
			reasons[ref] = "cannot run the game: " + explain(ref, errs[i])
		default:
			found[ref] = offers[i]
		}
	}
	if len(found) == 0 {
		return
	}
	r.Offers = found
	for ref, reason := range reasons {
		r.exclude(ref, reason)
	}
}

func (r *Request) exclude(ref node.Ref, reason string) {
	if r.Excluded == nil {
		r.Excluded = map[node.Ref]string{}
	}
	r.Excluded[ref] = reason
}
