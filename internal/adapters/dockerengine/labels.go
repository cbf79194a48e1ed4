package dockerengine

import (
	"maps"
	"strconv"

	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
)

// The labels that identify the owner of a container. Filters and scripts of operators may
// use these names.
const (
	labelPrefix     = "io.galaxy.rtmanager."
	labelStore      = labelPrefix + "store"
	labelGameID     = labelPrefix + "game-id"
	labelRegion     = labelPrefix + "region"
	labelNode       = labelPrefix + "node"
	labelImage      = labelPrefix + "image"
	labelGeneration = labelPrefix + "generation"
	labelOperation  = labelPrefix + "operation-id"
	// labelName is the name at creation; an operator may have renamed the container.
	labelName = labelPrefix + "name"
	// labelSecrets has the versions of the secrets at creation, without values. A container
	// of a game without secrets does not have it.
	labelSecrets = labelPrefix + "secrets"
	// labelPort is the port that the game listens on inside its container.
	labelPort = labelPrefix + "port"
	// labelPorts has the ports of players, as JSON. A container without such ports does not
	// have it.
	labelPorts = labelPrefix + "ports"
)

// engineLabels returns the labels of a new container.
func engineLabels(spec container.Spec) map[string]string {
	labels := map[string]string{
		labelStore:      spec.Labels.Store,
		labelGameID:     spec.Labels.GameID,
		labelRegion:     spec.Labels.Region,
		labelNode:       spec.Labels.Node,
		labelImage:      spec.Labels.Image,
		labelGeneration: strconv.FormatInt(spec.Labels.Generation, 10),
		labelOperation:  spec.Labels.OperationID,
		labelName:       spec.Name,
		labelPort:       strconv.Itoa(spec.ContainerPort),
	}
	if len(spec.Ports) > 0 {
		labels[labelPorts] = encodePorts(spec.Ports)
	}
	if spec.Labels.Secrets != "" {
		labels[labelSecrets] = spec.Labels.Secrets
	}
	return labels
}

// parseOwnedLabels parses the labels of a container, and reports whether they are complete
// and the container is owned. A container that was taken over has the labels of the former
// name of this node; the returned ones have the present name.
func (e *Engine) parseOwnedLabels(id string, labels map[string]string) (container.Labels, bool) {
	found, isComplete := parseLabels(labels)
	if e.takenOver[id] && found.Store == e.cfg.Store {
		found.Region, found.Node = e.cfg.Region, e.cfg.Node
	}
	return found, isComplete && e.isOwned(found)
}

// parseLabels parses the labels of a container, and reports whether they are complete.
func parseLabels(labels map[string]string) (container.Labels, bool) {
	for _, key := range []string{labelStore, labelGameID, labelRegion, labelNode, labelImage, labelGeneration, labelOperation, labelName, labelPort} {
		if _, ok := labels[key]; !ok {
			return container.Labels{}, false
		}
	}
	generation, err := strconv.ParseInt(labels[labelGeneration], 10, 64)
	found := container.Labels{
		Store:       labels[labelStore],
		GameID:      labels[labelGameID],
		Region:      labels[labelRegion],
		Node:        labels[labelNode],
		Image:       labels[labelImage],
		Generation:  generation,
		OperationID: labels[labelOperation],
		Secrets:     labels[labelSecrets],
	}
	return found, err == nil && found.GameID != ""
}

// isOwned reports whether the labels are of this store, region and node.
func (e *Engine) isOwned(l container.Labels) bool {
	return l.Store == e.cfg.Store && l.Region == e.cfg.Region && l.Node == e.cfg.Node
}

// ownedFilter selects containers with the labels of this store, region and node, and with
// additional labels. parseOwnedLabels verifies the result. Containers that were taken over
// have other labels of region and node, which cannot be changed.
func (e *Engine) ownedFilter(additional map[string]string) client.Filters {
	labels := map[string]string{labelStore: e.cfg.Store}
	if len(e.takenOver) == 0 {
		labels[labelRegion], labels[labelNode] = e.cfg.Region, e.cfg.Node
	}
	maps.Copy(labels, additional)
	filters := client.Filters{}
	for key, value := range labels {
		filters.Add("label", key+"="+value)
	}
	return filters
}
