package dockerengine

import (
	"github.com/moby/moby/api/types/jsonstream"

	"galaxy/rtmanager/internal/domain/container"
)

// layerProgress holds the progress of each layer of an image, by the id of the layer.
type layerProgress map[string]layerBytes

type layerBytes struct{ done, total int64 }

// The statuses of a layer that report downloaded bytes.
const (
	layerDownloading = "Downloading"
	layerDownloaded  = "Download complete"
	layerPulled      = "Pull complete"
)

// update records one message and returns the progress of the whole image. The total grows
// while the engine discovers layers.
func (l layerProgress) update(m jsonstream.Message) container.ImageProgress {
	switch m.Status {
	case layerDownloading:
		if m.Progress != nil {
			l[m.ID] = layerBytes{done: m.Progress.Current, total: max(m.Progress.Total, m.Progress.Current)}
		}
	case layerDownloaded, layerPulled:
		l[m.ID] = layerBytes{done: l[m.ID].total, total: l[m.ID].total}
	}
	sum := container.ImageProgress{Text: m.Status}
	if m.ID != "" {
		sum.Text = m.ID + ": " + m.Status
	}
	for _, layer := range l {
		sum.BytesDone += layer.done
		sum.BytesTotal += layer.total
	}
	return sum
}
