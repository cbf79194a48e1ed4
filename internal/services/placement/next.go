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

// NextSelector selects the node on which a start continues after it has failed on others for reasons of
// those nodes. It is safe for concurrent use.
type NextSelector struct {
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
func (s *NextSelector) SelectNext(ctx context.Context, gameID string, op operation.Operation) (operation.Assignment, error) {
	present, err := s.Nodes.Nodes(ctx)
	if err != nil {
		return operation.Assignment{}, fmt.Errorf("list the present nodes: %w", err)
	}
	request := s.newRequest(ctx, gameID, op, present)
	selection, err := s.Scheduler.Select(ctx, request)
	if err != nil {
		return operation.Assignment{}, err
	}
	if selection.Selected.IsZero() {
		return operation.Assignment{}, &node.NoCapacityError{Region: selection.Region, Nodes: selection.Nodes}
	}
	return operation.Assignment{To: selection.Selected, OperationID: op.ID, IsReserved: selection.IsReserved}, nil
}

// newRequest returns the search for the next node of the operation.
func (s *NextSelector) newRequest(ctx context.Context, gameID string, op operation.Operation, present []node.Node) Request {
	request := Request{
		GameID: gameID, OperationID: op.ID, Region: op.Region, Spec: op.Spec, Nodes: Candidates(present, op.Region),
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
	if s.Offers == nil {
		return request
	}
	request.AddOffers(ctx, s.Offers, func(ref node.Ref, err error) string {
		if s.Log != nil {
			s.Log.Info("node cannot run a game", "game_id", gameID, "node", ref.String(), "error", err)
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

// Release ends the reservation that SelectNext has made for the operation.
func (s *NextSelector) Release(ctx context.Context, ref node.Ref, gameID, operationID string) error {
	return s.Scheduler.Release(ctx, ref, gameID, operationID)
}
