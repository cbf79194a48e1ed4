package dockerengine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
)

// ListOtherNodes returns the containers of this store that other nodes created on this
// Docker Engine, by their node. They have only ID, Name, Labels and Image. Containers that
// were taken over are not among them. It returns container.ErrEngineUnavailable if the
// engine does not respond.
func (e *Engine) ListOtherNodes(ctx context.Context) (map[node.Ref][]container.Container, error) {
	listed, err := e.listForeign(ctx, client.Filters{})
	if err != nil {
		return nil, err
	}
	others := map[node.Ref][]container.Container{}
	for _, c := range listed {
		ref := node.Ref{Region: c.Labels.Region, Name: c.Labels.Node}
		others[ref] = append(others[ref], c)
	}
	return others, nil
}

// listForeign returns the containers of this store that other nodes created, as
// ListOtherNodes does.
func (e *Engine) listForeign(ctx context.Context, filters client.Filters) ([]container.Container, error) {
	listed, err := e.listSummaries(ctx, "list the containers of other nodes", filters.Add("label", labelStore+"="+e.cfg.Store))
	if err != nil {
		return nil, err
	}
	var foreign []container.Container
	for _, c := range listed {
		labels, isComplete := parseLabels(c.Labels)
		if isComplete && labels.Store == e.cfg.Store && !e.takenOver[c.ID] && !e.isOwned(labels) {
			foreign = append(foreign, container.Container{ID: c.ID, Name: c.Labels[labelName], Labels: labels, Image: c.Image})
		}
	}
	return foreign, nil
}

// RemoveForeign implements ports.Engine.
func (e *Engine) RemoveForeign(ctx context.Context, gameID string, grace time.Duration) error {
	foreign, err := e.listForeign(ctx, client.Filters{}.Add("label", labelGameID+"="+gameID))
	if err != nil {
		return err
	}
	for _, c := range foreign {
		if c.Labels.GameID != gameID {
			continue
		}
		e.cfg.Logger.Warn("removing a container of another node on this Docker Engine: the game starts on this node",
			"game_id", gameID, "container_id", c.ID, "region", c.Labels.Region, "node", c.Labels.Node)
		owner := &Engine{api: e.api, cfg: e.cfg, address: e.address}
		owner.cfg.Region, owner.cfg.Node = c.Labels.Region, c.Labels.Node
		if err := owner.Stop(ctx, c.ID, grace); err != nil && !errors.Is(err, container.ErrNoContainer) {
			return fmt.Errorf("container of node %s/%s: %w", c.Labels.Region, c.Labels.Node, err)
		}
		if err := owner.Remove(ctx, c.ID); err != nil {
			return fmt.Errorf("container of node %s/%s: %w", c.Labels.Region, c.Labels.Node, err)
		}
	}
	return nil
}
