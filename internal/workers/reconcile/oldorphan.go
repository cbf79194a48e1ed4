package reconcile

import (
	"slices"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
)

// oldOrphanReason is why an old orphan is not adopted.
const oldOrphanReason = "the container is older than --removed-retention, so its game may have been deleted; apply the finding to adopt it, or remove the container"

// detect returns the findings of the observation. It blocks the adoption of a container that
// was started before AdoptMaxAge: a node that was away for long may have a container of a game
// that was rescheduled, removed and deleted meanwhile. Adoption would restore that game.
func (w *Worker) detect(o drift.Observation) []drift.Finding {
	findings := drift.Detect(o)
	w.blockPaused(findings)
	for i, f := range findings {
		if f.Kind != drift.KindOrphan || w.cfg.AdoptMaxAge == 0 {
			continue
		}
		isOld := func(c container.Container) bool {
			return c.ID == f.ContainerID && c.StartedAt != nil && o.Now.Sub(*c.StartedAt) >= w.cfg.AdoptMaxAge
		}
		if slices.ContainsFunc(o.Containers, isOld) {
			findings[i].BlockedBy = oldOrphanReason
		}
	}
	return findings
}
