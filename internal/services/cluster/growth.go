package cluster

import (
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
)

// currentOfGrowth returns what a running game has requested of its node so far, for a patch that requests more. It
// returns nil for any other request: a patch that changes the image only, one of a game that uses no place, and one of
// a game with an operation in progress, which its node rejects or joins.
func currentOfGrowth(request ports.OperationRequest) *node.Resources {
	if request.Kind != operation.KindPatch || request.Spec == nil || request.Seen == nil {
		return nil
	}
	intent, found := request.Seen.Intent.Intent, request.Seen.Record
	_, hasEnded := intent.OutcomeOf(request.Origin.OperationID)
	current := intent.Spec.Requests()
	if found.Revision == 0 || !found.Record.HoldsPlace() || intent.Current != nil || hasEnded || !request.Spec.Requests().IsMoreThan(current) {
		return nil
	}
	return &current
}

// newGrowthSearch returns the check of the node that runs the game, for more resources.
func newGrowthSearch(n node.Node, request ports.OperationRequest, d destination) placement.Request {
	search := newNamedSearch(n, request, d.intent)
	search.Current = d.current
	return search
}
