package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Transitioner changes the status of a record.
type Transitioner interface {
	Transition(ctx context.Context, input ports.TransitionInput) (runtime.VersionedRecord, error)
}

// RemoveGame stops and cleans up the game on its node, so that it can be deleted. It returns nil
// for a removed game. The operations have ids that are derived from that of origin, which is
// required: a repeated call continues where an earlier one ended. It stops the first start of a
// game without a record.
//
// A game has been given up if an operator has removed its node from the list of nodes, or if it
// has no node: nothing can be stopped then, and only the record changes.
//
// Errors:
//   - *operation.RejectedError if the node is absent, and those of the operations,
//   - *operation.BusyError while another operation is in progress that a stop does not preempt,
//   - *node.UnreachableError if the node does not respond, with runtime.ErrOutcomeUnknown if it
//     may have accepted an operation,
//   - the errors of the store.
func (s *Service) RemoveGame(ctx context.Context, gameID string, origin ports.Origin) error {
	for _, kind := range []operation.Kind{operation.KindStop, operation.KindCleanup} {
		found, err := s.deps.Records.GetVersioned(ctx, gameID)
		if errors.Is(err, runtime.ErrNotFound) {
			return s.stopFirstStart(ctx, gameID, origin)
		}
		if err != nil || found.Record.Status == runtime.StatusRemoved {
			return err
		}
		ref := node.RefOf(found.Record)
		isGivenUp, err := s.checkRemovable(ctx, gameID, ref, found.Record.Status)
		switch {
		case err != nil:
			return err
		case isGivenUp:
			return s.removeRecord(ctx, found.Record, origin)
		}
		request := ports.OperationRequest{GameID: gameID, Kind: kind, Origin: origin}
		request.Origin.OperationID = operation.DeriveID(origin.OperationID, string(kind))
		if err := s.executeOn(ctx, ref, request); err != nil {
			return fmt.Errorf("%s before the deletion: %w", kind, err)
		}
	}
	return nil
}

// stopFirstStart stops a game whose first start is in progress. It returns nil if there is no
// operation.
func (s *Service) stopFirstStart(ctx context.Context, gameID string, origin ports.Origin) error {
	if s.deps.Intents == nil {
		return nil
	}
	ref, err := s.operationNode(ctx, gameID)
	if errors.Is(err, runtime.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	request := ports.OperationRequest{GameID: gameID, Kind: operation.KindStop, Origin: origin}
	request.Origin.OperationID = operation.DeriveID(origin.OperationID, "stop")
	if err := s.executeOn(ctx, ref, request); err != nil && !errors.Is(err, runtime.ErrNotFound) {
		return fmt.Errorf("stop before the deletion: %w", err)
	}
	return nil
}

// checkRemovable reports whether the game has been given up. It returns an error if the node of
// the game is absent.
func (s *Service) checkRemovable(ctx context.Context, gameID string, ref node.Ref, status runtime.Status) (isGivenUp bool, _ error) {
	if ref.Name == "" {
		return true, nil
	}
	if ref == s.self && s.deps.Local != nil || s.deps.Nodes == nil {
		return false, nil
	}
	nodes, err := s.deps.Nodes.Overview(ctx)
	if err != nil {
		return false, fmt.Errorf("list the nodes: %w", err)
	}
	if _, isPresent := node.Find(nodes.Present, ref); isPresent {
		return false, nil
	}
	if _, isAbsent := nodes.FindAbsent(ref); isAbsent || nodes.IsStale {
		return false, &operation.RejectedError{
			GameID: gameID, Operation: "delete", Status: status,
			Reason: fmt.Sprintf("node %s of the game is absent, and may still run the game; delete the game once the node is present, or remove the node from the list of nodes first, which gives up its games", ref),
		}
	}
	return true, nil
}

// executeOn carries out the operation on the node, and returns when it has ended.
func (s *Service) executeOn(ctx context.Context, ref node.Ref, request ports.OperationRequest) error {
	if !s.isRemote(ref) {
		_, err := s.Execute(ctx, request, nil)
		return err
	}
	target, err := s.presentNode(ctx, ref)
	if err != nil {
		return err
	}
	ctx, stop := s.WithPresence(ctx, *target)
	defer stop()
	return s.deps.Peer.Operate(ctx, *target, request)
}

// removeRecord changes the record of a game that has been given up to removed, and ends an
// operation that its node has not ended.
func (s *Service) removeRecord(ctx context.Context, record runtime.RuntimeRecord, origin ports.Origin) error {
	if s.deps.Writer == nil {
		return node.ErrNotMember
	}
	if err := s.endOperation(ctx, record); err != nil {
		return err
	}
	input := ports.TransitionInput{
		UpdateStatusInput: ports.UpdateStatusInput{
			GameID: record.GameID, ExpectedFrom: record.Status, ExpectedContainerID: record.CurrentContainerID, To: runtime.StatusRemoved, Now: time.Now().UTC(),
		},
		Origin: origin, Guard: ports.GuardNoOperation, Endpoint: new(string),
	}
	input.Origin.OperationID = operation.DeriveID(origin.OperationID, "remove")
	_, err := s.deps.Writer.Transition(ctx, input)
	return err
}

// endOperation ends the operation in progress if its node has been given up as well.
func (s *Service) endOperation(ctx context.Context, record runtime.RuntimeRecord) error {
	if s.deps.Intents == nil {
		return nil
	}
	for {
		stored, err := s.deps.Intents.GetIntent(ctx, record.GameID)
		if err != nil || stored.Intent.Current == nil {
			return err
		}
		current := *stored.Intent.Current
		isGivenUp, err := s.checkRemovable(ctx, record.GameID, current.NodeRef(), record.Status)
		switch {
		case err != nil:
			return err
		case !isGivenUp:
			return operation.NewBusyError(record.GameID, current)
		}
		_, err = s.deps.Intents.PutIntent(ctx, stored.Intent.Abandon(&record, time.Now().UTC()), stored.IntentVersion)
		if !errors.Is(err, runtime.ErrConflict) {
			return err
		}
	}
}
