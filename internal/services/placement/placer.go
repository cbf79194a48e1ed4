package placement

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

// maxImageFailures is the number of nodes that try to get an image that the registry does not have.
// After that, only nodes that have it already are candidates: a wrong name fails on every node.
const maxImageFailures = 3

// Placer selects and reserves nodes for operations that continue on other nodes. It is safe for concurrent
// use.
type Placer struct {
	Scheduler *Scheduler
	Nodes     ports.NodeRegistry
	// Offers requests the offers of the other nodes; nil selects without offers.
	Offers OfferSource
	// Log receives why nodes make no offer; nil discards that.
	Log *slog.Logger
}

// SelectNext reserves the best node of the region of the operation, without those on which the operation
// has failed, for the operation. The reservation of its current node is moved there by the same
// transaction. A repeated call returns the same node.
//
// It returns a *node.NoCapacityError if no other node can run the game, and the errors of the stores.
func (p *Placer) SelectNext(ctx context.Context, gameID string, op operation.Operation) (operation.Assignment, error) {
	present, err := p.Nodes.Nodes(ctx)
	if err != nil {
		return operation.Assignment{}, fmt.Errorf("list the present nodes: %w", err)
	}
	request := p.newRequest(ctx, gameID, op, present)
	selection, err := p.Scheduler.Select(ctx, request)
	if err != nil {
		return operation.Assignment{}, err
	}
	if selection.Selected.IsZero() {
		return operation.Assignment{}, &node.NoCapacityError{Region: selection.Region, Nodes: selection.Nodes}
	}
	return operation.Assignment{To: selection.Selected, OperationID: op.ID, IsReserved: selection.IsReserved}, nil
}

// newRequest returns the search for the next node of the operation.
func (p *Placer) newRequest(ctx context.Context, gameID string, op operation.Operation, present []node.Node) Request {
	request := Request{
		GameID: gameID, OperationID: op.ID, Region: op.Region, Spec: op.Spec, Labels: op.Labels, Nodes: Candidates(present, op.Region),
		Excluded: map[node.Ref]string{},
	}
	failed := op.Attempts
	if op.Failure != nil {
		failed = append(slices.Clone(failed), operation.NewAttempt(op.NodeRef(), *op.Failure))
	}
	request.exclude(op.NodeRef(), "is absent") // unless it has reported another reason
	imageFailures := 0
	for _, attempt := range failed {
		request.exclude(attempt.NodeRef(), "has failed to start the game: "+attempt.Failure.Message)
		if attempt.Failure.Code == operation.FailureNoImage {
			imageFailures++
		}
	}
	if p.Offers == nil {
		return request
	}
	request.AddOffers(ctx, p.Offers, func(ref node.Ref, err error) string {
		if p.Log != nil {
			p.Log.Info("node cannot run a game", "game_id", gameID, "node", ref.String(), "error", err)
		}
		return "it makes no offer"
	})
	for _, n := range request.Nodes {
		offer, hasOffer := request.Offers[n.Ref()]
		isHopeless := n.Engine == container.EngineKindProcess || imageFailures >= maxImageFailures
		if hasOffer && !offer.HasImage && imageFailures > 0 && isHopeless && request.Excluded[n.Ref()] == "" {
			request.exclude(n.Ref(), "does not have the image "+op.Spec.Image)
		}
	}
	return request
}

// ReserveTarget reserves the target for the move of a game. isReserved is false if the node has no limit that
// concerns the game. isCordonAllowed permits a cordoned node. A repeated call finds the reservation.
//
// It returns a *node.NoCapacityError if the node cannot run the game, and the errors of the stores.
func (p *Placer) ReserveTarget(ctx context.Context, gameID string, op operation.Operation, target node.Node, isCordonAllowed bool) (isReserved bool, err error) {
	if isCordonAllowed {
		target.Settings.Cordoned = nil
	}
	selection, err := p.Scheduler.Select(ctx, Request{
		GameID: gameID, OperationID: op.ID, Region: target.Region, Spec: op.Spec, Labels: op.Labels, Nodes: []node.Node{target}, IsNamed: true,
	})
	if err == nil && selection.Selected.IsZero() {
		err = &node.NoCapacityError{Region: target.Region, Node: target.Ref(), Nodes: selection.Nodes}
	}
	return selection.IsReserved, err
}

// Release ends the reservation of the operation on the node. It does nothing if there is none.
func (p *Placer) Release(ctx context.Context, ref node.Ref, gameID, operationID string) error {
	return p.Scheduler.Release(ctx, ref, gameID, operationID)
}
