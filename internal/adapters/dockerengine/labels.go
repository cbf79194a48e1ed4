package dockerengine

import (
	"maps"
	"strconv"

	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
)

// The labels that say whose a container is. A person's filters and scripts may
// rely on these names.
const (
	prefix          = "io.galaxy.rtmanager."
	labelStore      = prefix + "store"
	labelGameID     = prefix + "game-id"
	labelRegion     = prefix + "region"
	labelNode       = prefix + "node"
	labelImage      = prefix + "image"
	labelGeneration = prefix + "generation"
	labelOperation  = prefix + "operation-id"
	// labelName is the name that it was created by; a person may have renamed it.
	labelName = prefix + "name"
	// labelPort is the port that the game listens on inside.
	labelPort = prefix + "port"
)

func labelsOf(spec container.Spec) map[string]string {
	return map[string]string{
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
}

// owned reads the labels of a container, and reports whether they are all there
// and of this store, region and node.
func (e *Engine) owned(labels map[string]string) (container.Labels, bool) {
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
	}
	return found, err == nil && found.GameID != "" && e.isMine(found)
}

func (e *Engine) isMine(l container.Labels) bool {
	return l.Store == e.cfg.Store && l.Region == e.cfg.Region && l.Node == e.cfg.Node
}

// ours selects what carries the labels of this store, region and node, and more
// labels yet. The engine's choice is checked again by owned.
func (e *Engine) ours(more map[string]string) client.Filters {
	want := map[string]string{labelStore: e.cfg.Store, labelRegion: e.cfg.Region, labelNode: e.cfg.Node}
	maps.Copy(want, more)
	filters := client.Filters{}
	for key, value := range want {
		filters.Add("label", key+"="+value)
	}
	return filters
}
