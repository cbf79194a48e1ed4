package dockerengine

import (
	"github.com/moby/moby/api/types/jsonstream"

	"galaxy/rtmanager/internal/domain/container"
)

// layers adds up how far the layers of an image have come, by their ids.
type layers map[string]layer

type layer struct{ done, total int64 }

// The engine's words for a layer; others do not tell of bytes that are fetched.
const (
	layerDownloading = "Downloading"
	layerDownloaded  = "Download complete"
	layerPulled      = "Pull complete"
)

// note takes in one message and returns what the whole image has come to. The
// total grows while the engine learns of layers.
func (l layers) note(m jsonstream.Message) container.ImageProgress {
	switch m.Status {
	case layerDownloading:
		if m.Progress != nil {
			l[m.ID] = layer{done: m.Progress.Current, total: max(m.Progress.Total, m.Progress.Current)}
		}
	case layerDownloaded, layerPulled:
		l[m.ID] = layer{done: l[m.ID].total, total: l[m.ID].total}
	}
	sum := container.ImageProgress{Text: m.Status}
	if m.ID != "" {
		sum.Text = m.ID + ": " + m.Status
	}
	for _, one := range l {
		sum.BytesDone += one.done
		sum.BytesTotal += one.total
	}
	return sum
}
