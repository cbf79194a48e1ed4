package httpserver

import (
	"context"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

// Cluster carries out requests on the node that they concern, as services/cluster does.
// Its methods are safe for concurrent use and end when ctx ends. A request that was
// forwarded already must not leave this node.
type Cluster interface {
	// Route returns the node that carries out the operation, nil for this one. requested
	// is the node or region on which the caller wants to start a game without a node; its
	// region, its name or both may be empty. release, if it is not nil, ends the reservation of
	// the node: the caller must call it unless the request reaches the node. Route sets request.Seen.
	Route(ctx context.Context, request *ports.OperationRequest, requested node.Ref, isForwarded bool) (target *node.Node, release func(), _ error)
	// ExplainPlacement returns on which node Route would start the game, and why.
	ExplainPlacement(ctx context.Context, request ports.OperationRequest, requested node.Ref) (node.Placement, error)
	// Offer reports how well this node could run a game with the spec.
	Offer(ctx context.Context, gameID string, spec operation.Spec) (node.Offer, error)
	// Execute carries out an operation on this node.
	ports.Executor
	// Locate returns the node of the game, nil for this one.
	Locate(ctx context.Context, gameID string, isForwarded bool) (*node.Node, error)
	// LocateNode returns the node that serves a request about the game, nil for this one.
	LocateNode(ctx context.Context, gameID string, ref node.Ref, isForwarded bool) (*node.Node, error)
	// IsPresent reports whether the node is present.
	IsPresent(ctx context.Context, ref node.Ref) (bool, error)

	// WithPresence returns a context that also ends when the node is no longer present.
	// The caller must call stop.
	WithPresence(ctx context.Context, target node.Node) (bound context.Context, stop func())

	// Nodes returns the present and the absent nodes, and the leaders of their regions.
	Nodes(ctx context.Context) (node.List, error)
	// RemoveNode removes an absent node from the list.
	RemoveNode(ctx context.Context, ref node.Ref, isForced bool) error
	// Explain returns the explanation of one game.
	Explain(ctx context.Context, gameID string, isForwarded bool) (drift.Explanation, error)

	// CheckNoContainers returns nil if no node has a container of the removed game, as far
	// as this can be known, and for any other game.
	CheckNoContainers(ctx context.Context, gameID string) error
	// RemoveGame stops and cleans up a game on its node, so that it can be deleted.
	RemoveGame(ctx context.Context, gameID string, origin ports.Origin) error

	// LocalDrift returns the findings of this node.
	LocalDrift(ctx context.Context) (drift.Report, error)
	// Drift merges the findings of all nodes.
	Drift(ctx context.Context) (drift.Report, error)
	// ApplyDrift carries out the actions of findings on their nodes, and returns one result
	// per finding.
	ApplyDrift(ctx context.Context, findings []drift.Finding, actor string, isForwarded bool) []drift.ApplyResult
	// ReleaseBrake releases the brake of a node, this one if ref is zero, and returns the
	// node.
	ReleaseBrake(ctx context.Context, ref node.Ref, isForwarded bool) (node.Ref, error)
}

// noCluster is the cluster of a server without one: every call about nodes
// fails with node.ErrNoEngine or node.ErrNotMember, and no node has containers.
type noCluster struct{}

func (noCluster) Route(context.Context, *ports.OperationRequest, node.Ref, bool) (*node.Node, func(), error) {
	return nil, nil, node.ErrNoEngine
}

func (noCluster) ExplainPlacement(context.Context, ports.OperationRequest, node.Ref) (node.Placement, error) {
	return node.Placement{}, node.ErrNoEngine
}

func (noCluster) Offer(context.Context, string, operation.Spec) (node.Offer, error) {
	return node.Offer{}, node.ErrNoEngine
}

func (noCluster) Execute(context.Context, ports.OperationRequest, func(operation.Progress)) (operation.Outcome, error) {
	return operation.Outcome{}, node.ErrNoEngine
}

func (noCluster) Locate(context.Context, string, bool) (*node.Node, error) {
	return nil, node.ErrNoEngine
}

func (noCluster) LocateNode(context.Context, string, node.Ref, bool) (*node.Node, error) {
	return nil, node.ErrNoEngine
}

func (noCluster) IsPresent(context.Context, node.Ref) (bool, error) { return false, nil }

func (noCluster) WithPresence(ctx context.Context, _ node.Node) (context.Context, func()) {
	return ctx, func() {}
}

func (noCluster) Nodes(context.Context) (node.List, error) {
	return node.List{}, node.ErrNotMember
}

func (noCluster) RemoveNode(context.Context, node.Ref, bool) error { return node.ErrNotMember }

func (noCluster) Explain(context.Context, string, bool) (drift.Explanation, error) {
	return drift.Explanation{}, node.ErrNoEngine
}

func (noCluster) CheckNoContainers(context.Context, string) error { return nil }

func (noCluster) RemoveGame(context.Context, string, ports.Origin) error { return node.ErrNoEngine }

func (noCluster) LocalDrift(context.Context) (drift.Report, error) {
	return drift.Report{}, node.ErrNoEngine
}

func (noCluster) Drift(context.Context) (drift.Report, error) {
	return drift.Report{}, node.ErrNoEngine
}

func (noCluster) ApplyDrift(_ context.Context, findings []drift.Finding, _ string, _ bool) []drift.ApplyResult {
	results := make([]drift.ApplyResult, len(findings))
	for i, f := range findings {
		results[i] = drift.ApplyResult{
			ID: f.ID, GameID: f.GameID, Region: f.Region, Node: f.Node, Action: f.Action, Status: drift.ApplyFailed, Reason: node.ErrNoEngine.Error(),
		}
	}
	return results
}

func (noCluster) ReleaseBrake(_ context.Context, ref node.Ref, _ bool) (node.Ref, error) {
	return ref, node.ErrNoEngine
}
